// How a workload's replicas lie over topology domains, while more of them are placed. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "controller/demand/cluster_index.h"
#include "controller/demand/constraints.h"

namespace prewarm::controller::demand {

// Counts the workload's own pods; others that its selector may match are not looked at. Spreading
// over hosts needs no counting, because no node is chosen twice.
class Spread {
 public:
  // All outlive this.
  Spread(const Constraints& constraints, const ClusterIndex& cluster,
         const std::vector<const Pod*>& pods);

  [[nodiscard]] bool empty() const { return rules_.empty(); }
  // One more replica on the node keeps every required constraint.
  [[nodiscard]] bool Allows(const Node& node) const;
  // Replicas in the node's domains; fewer is better.
  [[nodiscard]] std::int32_t Crowding(const Node& node) const;
  void Place(const Node& node);

 private:
  struct Rule {
    const SpreadConstraint* constraint = nullptr;
    std::map<std::string_view, std::int32_t> replicas;  // by domain
    [[nodiscard]] std::int32_t Least() const;
  };
  std::vector<Rule> rules_;
};

}  // namespace prewarm::controller::demand
