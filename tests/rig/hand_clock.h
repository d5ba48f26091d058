// A clock that stands still until a test moves it.
#pragma once

#include "common/base/clock.h"

namespace prewarm::rig {

class HandClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return now; }
  [[nodiscard]] WallTime WallNow() const override { return WallTime(now.time_since_epoch()); }
  SteadyTime now{std::chrono::hours(1)};
};

}  // namespace prewarm::rig
