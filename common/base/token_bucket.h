// A rate as a budget: tokens (bytes, requests, retries) flow in with time up to a bound.
// Pure: time is handed in. Not thread-safe.
#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace prewarm {

class TokenBucket {
 public:
  // `per_second` 0 means unlimited. At most `burst` tokens collect while nothing is taken.
  TokenBucket(double per_second, double burst, SteadyTime now);

  // Takes `tokens` now, going into debt if need be; the answer is how long the taker must wait
  // until the debt is paid. Takers are thereby served in order.
  Duration Take(double tokens, SteadyTime now);
  void SetRate(double per_second, double burst, SteadyTime now);

 private:
  void Refill(SteadyTime now);

  double per_second_;
  double burst_;
  double level_;
  SteadyTime updated_;
};

}  // namespace prewarm
