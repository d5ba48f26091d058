// For what cannot happen: a broken invariant ends the process with the place and the reason.
#pragma once

#include <cstdio>
#include <cstdlib>

#define PREWARM_CHECK(condition, why)                                                     \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: broken invariant: %s (%s)\n", __FILE__, __LINE__, why, \
                   #condition);                                                           \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)
