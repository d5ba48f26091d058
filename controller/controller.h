// The program: reads the configuration, builds every part, runs until it is asked to stop.
#pragma once

namespace prewarm::controller {

int RunController(int argc, const char* const* argv);

}  // namespace prewarm::controller
