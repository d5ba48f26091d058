// Which of two runs comes first when both have work: the higher priority, then the earlier
// deadline, then the older. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace prewarm::agent {

struct RunRank {
  std::int32_t priority = 0;         // higher first
  std::optional<WallTime> deadline;  // earlier first, none last
  WallTime since{};                  // when the work was asked for: older first

  bool operator==(const RunRank&) const = default;
};

// A strict weak order; who keeps runs breaks ties by their order of arrival.
inline bool Before(const RunRank& a, const RunRank& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  const auto due = [](const RunRank& rank) { return rank.deadline.value_or(WallTime::max()); };
  if (due(a) != due(b)) return due(a) < due(b);
  return a.since < b.since;
}

}  // namespace prewarm::agent
