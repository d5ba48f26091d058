// When all workloads are looked at again, so that looking takes a bounded share of a core however
// large the cluster is. Pure.
#pragma once

#include <algorithm>

#include "common/base/clock.h"

namespace prewarm::controller {

class LookPacer {
 public:
  static constexpr int kBusyShare = 5;   // a fifth of the time while things change
  static constexpr int kRestShare = 20;  // a twentieth while nothing does
  static constexpr Duration kRest = std::chrono::seconds(1);  // at most so often then

  void Looked(SteadyTime begin, SteadyTime end) {
    took_ = end - begin;
    end_ = end;
  }
  // The next one, if something changed that may be about any workload, or if nothing did.
  [[nodiscard]] SteadyTime Due(bool changed) const {
    if (changed) return end_ + (kBusyShare - 1) * took_;
    return end_ + std::max<Duration>(kRest, (kRestShare - 1) * took_);
  }

 private:
  Duration took_{};
  SteadyTime end_{};
};

}  // namespace prewarm::controller
