// The root of the source tree, for test data and for the programs that tests/deps/install.sh
// brings. ctest says it; run by hand, a test program takes the folder that it is started in.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace prewarm::rig {

inline std::filesystem::path SourceDir() {
  const char* named = std::getenv("PREWARM_SOURCE_DIR");
  return named != nullptr ? std::filesystem::path(named) : std::filesystem::current_path();
}

}  // namespace prewarm::rig
