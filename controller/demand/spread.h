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
  // Which domain of each rule a node is in; looked up once per node. Negative: of none that counts.
  using Position = std::vector<std::int32_t>;

  // All outlive this.
  Spread(const Constraints& constraints, const ClusterIndex& cluster,
         const std::vector<const Pod*>& pods);

  [[nodiscard]] bool empty() const { return rules_.empty(); }
  [[nodiscard]] Position PositionOf(const Node& node) const;
  // One more replica there keeps every required constraint.
  [[nodiscard]] bool Allows(const Position& position) const;
  // Replicas in its domains; fewer is better.
  [[nodiscard]] std::int32_t Crowding(const Position& position) const;
  void Place(const Position& position);

 private:
  struct Rule {
    const SpreadConstraint* constraint = nullptr;
    std::map<std::string_view, std::int32_t> domains;  // name to number
    std::vector<std::int32_t> replicas;                // by number
    std::int32_t least = 0;
    [[nodiscard]] std::int32_t DomainOf(const Node& node) const;
    void Settle();  // after replicas changed
  };
  std::vector<Rule> rules_;
};

}  // namespace prewarm::controller::demand
