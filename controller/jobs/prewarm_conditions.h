// What the status of a Prewarm says in the words of the API conventions: conditions, and how far it
// is over all its nodes. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>

#include "controller/kube/conditions.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

// Sums over the nodes that have a task.
struct PrewarmProgress {
  std::uint64_t planned_bytes = 0;
  std::uint64_t stored_bytes = 0;   // whole on disk, also what was there before
  std::uint64_t visible_bytes = 0;  // on nodes whose clients find all of it
  std::size_t stored_nodes = 0;
  std::size_t visible_nodes = 0;
  std::size_t failed_nodes = 0;
  std::size_t nodes = 0;
  bool operator==(const PrewarmProgress&) const = default;

  // Of the bytes that are stored, rounded down: 100 means all of them.
  [[nodiscard]] unsigned Percent() const;
};
PrewarmProgress ProgressOf(const Prewarm& prewarm);

// Accepted, Stored, Visible, Complete and Failed; OnTime where there is a deadline. Without
// moments.
kube::Conditions PrewarmConditions(const Prewarm& prewarm);

// status.progress
boost::json::object PrewarmProgressObject(const Prewarm& prewarm);

}  // namespace prewarm::controller
