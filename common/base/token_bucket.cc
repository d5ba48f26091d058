#include "common/base/token_bucket.h"

#include <algorithm>

namespace prewarm {

TokenBucket::TokenBucket(double per_second, double burst, SteadyTime now)
    : per_second_(per_second), burst_(burst), level_(burst), updated_(now) {}

void TokenBucket::Refill(SteadyTime now) {
  const double seconds = std::chrono::duration<double>(now - updated_).count();
  level_ = std::min(burst_, level_ + seconds * per_second_);
  updated_ = now;
}

Duration TokenBucket::Take(double tokens, SteadyTime now) {
  if (per_second_ <= 0) return Duration::zero();
  Refill(now);
  level_ -= tokens;
  if (level_ >= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-level_ / per_second_));
}

void TokenBucket::SetRate(double per_second, double burst, SteadyTime now) {
  Refill(now);
  per_second_ = per_second;
  burst_ = burst;
  level_ = std::min(level_, burst);
}

}  // namespace prewarm
