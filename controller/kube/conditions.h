// Conditions of an object's status by the API conventions: what holds of it now, one of each type.
// Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace prewarm::controller::kube {

struct Condition {
  std::string type;     // "Ready"
  std::string status;   // "True", "False", "Unknown"
  std::string reason;   // one CamelCase word
  std::string message;  // for people
  std::uint64_t observed_generation = 0;
  std::optional<WallTime> since;  // when the status last changed

  // Apart from the moment, which follows from what was there before.
  [[nodiscard]] bool Says(const Condition& other) const {
    return type == other.type && status == other.status && reason == other.reason &&
           message == other.message && observed_generation == other.observed_generation;
  }
  bool operator==(const Condition&) const = default;
};
using Conditions = std::vector<Condition>;

// The message is cut where it is longer than 1 KiB, and what is no text in it is replaced.
Condition MakeCondition(std::string type, bool holds, std::string reason,
                        const std::string& message);

// Of a status that anybody may have written; what is not a condition is left out.
Conditions ReadConditions(const boost::json::object& status);

bool SaySame(const Conditions& a, const Conditions& b);

// `next` about that generation, each with the moment at which its status became what it is.
void Follow(const Conditions& before, Conditions& next, std::uint64_t generation, WallTime now);

boost::json::array ToJson(const Conditions& conditions);

}  // namespace prewarm::controller::kube
