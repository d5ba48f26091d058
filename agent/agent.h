// The program: builds what the commands share, runs one, and turns its answer into an exit code.
#pragma once

namespace prewarm::agent {

int RunAgent(int argc, const char* const* argv);

}  // namespace prewarm::agent
