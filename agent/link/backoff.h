// How long to wait before the controller is dialled again: full jitter, so that a thousand agents
// that lost one controller at the same moment do not come back at the same moment. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

#include "common/base/clock.h"

namespace prewarm::agent {

class Backoff {
 public:
  static constexpr std::chrono::milliseconds kShortest{250};
  static constexpr std::chrono::milliseconds kLongest{5000};

  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  // Anything from nothing to a bound that doubles with every call.
  Duration Next() {
    std::uniform_int_distribution<std::int64_t> pause(0, bound_.count());
    const auto chosen = std::chrono::milliseconds(pause(random_));
    bound_ = std::min(bound_ * 2, kLongest);
    return chosen;
  }
  // After a success.
  void Reset() { bound_ = kShortest; }

 private:
  std::mt19937_64 random_;
  std::chrono::milliseconds bound_ = kShortest;
};

}  // namespace prewarm::agent
