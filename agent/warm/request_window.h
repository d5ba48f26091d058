// How many requests one run may have at its store. Opens quickly while answers come, halves when
// the store says 429 or 503, and grows slowly from there: a store that pushes back is spared
// without slowing the runs that read from another. Pure; not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

#include "common/base/clock.h"

namespace prewarm::agent {

class RequestWindow {
 public:
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(size_); }

  void OnSuccess() { size_ = std::min(kMost, size_ + (size_ < doubling_until_ ? 1 : 1 / size_)); }
  // Requests in flight together are refused together: that is one refusal, not many.
  void OnPushback(SteadyTime now) {
    if (now < deaf_until_) return;
    deaf_until_ = now + kRefusalsAreOne;
    size_ = std::max(1.0, size_ / 2);
    doubling_until_ = size_;
  }

 private:
  static constexpr double kInitial = 8;
  static constexpr double kMost = 4096;
  static constexpr auto kRefusalsAreOne = std::chrono::milliseconds(500);

  double size_ = kInitial;
  double doubling_until_ = std::numeric_limits<double>::max();
  SteadyTime deaf_until_ = SteadyTime::min();
};

}  // namespace prewarm::agent
