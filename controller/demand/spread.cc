#include "controller/demand/spread.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller::demand {
namespace {

constexpr std::string_view kHostname = "kubernetes.io/hostname";

}  // namespace

Spread::Spread(const Constraints& constraints, const ClusterIndex& cluster,
               const std::vector<const Pod*>& pods) {
  for (const auto& constraint : constraints.spread) {
    if (constraint.topology_key == kHostname) continue;
    Rule rule{&constraint, {}};
    for (const auto& state : cluster.nodes()) {
      const auto domain = state.node->labels.Find(constraint.topology_key);
      if (domain && MatchesSelectors(*state.node, constraints)) rule.replicas[*domain];
    }
    for (const auto* pod : pods) {
      if (pod->node.empty() || pod->deleting || !constraint.selector.Matches(pod->labels)) continue;
      const auto* state = cluster.FindNode(pod->node);
      if (state == nullptr) continue;
      const auto domain = state->node->labels.Find(constraint.topology_key);
      const auto at = domain ? rule.replicas.find(*domain) : rule.replicas.end();
      if (at != rule.replicas.end()) ++at->second;
    }
    rules_.push_back(std::move(rule));
  }
}

std::int32_t Spread::Rule::Least() const {
  if (std::cmp_less(replicas.size(), constraint->min_domains)) return 0;
  std::int32_t least = replicas.empty() ? 0 : replicas.begin()->second;
  for (const auto& [domain, count] : replicas) least = std::min(least, count);
  return least;
}

bool Spread::Allows(const Node& node) const {
  return std::ranges::all_of(rules_, [&](const Rule& rule) {
    if (!rule.constraint->required) return true;
    const auto domain = node.labels.Find(rule.constraint->topology_key);
    if (!domain) return false;
    const auto at = rule.replicas.find(*domain);
    const auto there = at == rule.replicas.end() ? 0 : at->second;
    return there + 1 - rule.Least() <= rule.constraint->max_skew;
  });
}

std::int32_t Spread::Crowding(const Node& node) const {
  std::int32_t crowding = 0;
  for (const auto& rule : rules_) {
    const auto domain = node.labels.Find(rule.constraint->topology_key);
    const auto at = domain ? rule.replicas.find(*domain) : rule.replicas.end();
    if (at != rule.replicas.end()) crowding += at->second;
  }
  return crowding;
}

void Spread::Place(const Node& node) {
  for (auto& rule : rules_) {
    const auto domain = node.labels.Find(rule.constraint->topology_key);
    const auto at = domain ? rule.replicas.find(*domain) : rule.replicas.end();
    // A node that is only promised may be of a domain that does not exist yet, and binds nobody.
    if (at != rule.replicas.end()) ++at->second;
  }
}

}  // namespace prewarm::controller::demand
