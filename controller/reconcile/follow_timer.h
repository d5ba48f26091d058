// When the paths of kept prewarms are read again: soon after the metadata told of a change, by the
// clock where it does not tell, and never so often that reading them keeps the server busy. Pure.
#pragma once

#include "common/base/clock.h"

namespace prewarm::controller {

struct FollowPace {
  // After a change: once no other has come for `quiet`, but waiting no longer than `longest_wait`,
  // because an upload may go on for hours.
  Duration quiet = std::chrono::milliseconds(200);
  Duration longest_wait = std::chrono::seconds(1);
  // Although the server tells of changes: a proxy may swallow what it says.
  Duration safety = std::chrono::minutes(1);
  Duration poll = std::chrono::seconds(2);  // where the server does not tell
  // Pauses are at least so many times as long as the reading before took.
  int idle_share = 20;      // by the clock
  int idle_share_told = 4;  // after a change
};

class FollowTimer {
 public:
  void Changed(SteadyTime now);
  // What is told from here on is not in the reading that begins.
  void Began(SteadyTime now);
  // Failed: the reading did not come to its end, so changes may go untold.
  void Ended(SteadyTime now, bool failed);

  // `told`: the server tells of changes. At once, before the first reading.
  [[nodiscard]] SteadyTime DueAt(const FollowPace& pace, bool told) const;

 private:
  bool read_ = false;
  bool failed_ = false;
  bool changed_ = false;
  SteadyTime first_change_{};
  SteadyTime last_change_{};
  SteadyTime began_{};
  SteadyTime ended_{};
};

}  // namespace prewarm::controller
