#include "controller/reconcile/follow_timer.h"

#include <algorithm>

namespace prewarm::controller {

void FollowTimer::Changed(SteadyTime now) {
  if (!changed_) first_change_ = now;
  changed_ = true;
  last_change_ = now;
}

void FollowTimer::Began(SteadyTime now) {
  changed_ = false;
  began_ = now;
}

void FollowTimer::Ended(SteadyTime now, bool failed) {
  read_ = true;
  failed_ = failed;
  ended_ = now;
}

SteadyTime FollowTimer::DueAt(const FollowPace& pace, bool told) const {
  if (!read_) return SteadyTime::min();
  const auto took = ended_ - began_;
  if (!told || failed_) return ended_ + std::max(pace.poll, pace.idle_share * took);
  const auto by_clock = ended_ + std::max(pace.safety, pace.idle_share * took);
  if (!changed_) return by_clock;
  const auto settled = std::min(last_change_ + pace.quiet, first_change_ + pace.longest_wait);
  return std::min(by_clock, std::max(settled, ended_ + pace.idle_share_told * took));
}

}  // namespace prewarm::controller
