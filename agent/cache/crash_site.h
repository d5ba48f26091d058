// Named places at which a test may let the process die, as if by kill -9: PREWARM_CRASH_AT=<site>.
// Compiled out unless PREWARM_CRASH_SITES is defined; what ships has none.
#pragma once

#ifdef PREWARM_CRASH_SITES

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace prewarm::agent {

inline void CrashSite(std::string_view site) {
  const char* wanted = std::getenv("PREWARM_CRASH_AT");
  if (wanted != nullptr && site == wanted) std::raise(SIGKILL);
}

}  // namespace prewarm::agent

#else

namespace prewarm::agent {

constexpr void CrashSite(const char* /*site*/) {}

}  // namespace prewarm::agent

#endif
