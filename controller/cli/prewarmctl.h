// prewarmctl: what a person or a script asks of the controller, over gRPC.
#pragma once

namespace prewarm::ctl {

// The whole program; the exit code.
int RunPrewarmctl(int argc, const char* const* argv);

}  // namespace prewarm::ctl
