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
    Rule rule{&constraint, {}, {}, 0};
    for (const auto& state : cluster.nodes()) {
      const auto domain = state.node->labels.Find(constraint.topology_key);
      if (!domain || !MatchesSelectors(*state.node, constraints)) continue;
      rule.domains.emplace(*domain, static_cast<std::int32_t>(rule.domains.size()));
    }
    rule.replicas.resize(rule.domains.size());
    for (const auto* pod : pods) {
      if (pod->node.empty() || pod->deleting || !constraint.selector.Matches(pod->labels)) continue;
      const auto* state = cluster.FindNode(pod->node);
      const auto domain = state == nullptr ? -1 : rule.DomainOf(*state->node);
      if (domain >= 0) ++rule.replicas[static_cast<std::size_t>(domain)];
    }
    rule.Settle();
    rules_.push_back(std::move(rule));
  }
}

std::int32_t Spread::Rule::DomainOf(const Node& node) const {
  const auto name = node.labels.Find(constraint->topology_key);
  const auto at = name ? domains.find(*name) : domains.end();
  return at == domains.end() ? -1 : at->second;
}

void Spread::Rule::Settle() {
  const bool too_few = std::cmp_less(replicas.size(), constraint->min_domains);
  least = too_few || replicas.empty() ? 0 : *std::ranges::min_element(replicas);
}

Spread::Position Spread::PositionOf(const Node& node) const {
  Position position;
  for (const auto& rule : rules_) position.push_back(rule.DomainOf(node));
  return position;
}

bool Spread::Allows(const Position& position) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto& rule = rules_[i];
    if (!rule.constraint->required) continue;
    // A node that is only promised may be of a domain that does not exist yet, and binds nobody.
    const auto domain = position[i];
    const auto there = domain < 0 ? 0 : rule.replicas[static_cast<std::size_t>(domain)];
    if (there + 1 - rule.least > rule.constraint->max_skew) return false;
  }
  return true;
}

std::int32_t Spread::Crowding(const Position& position) const {
  std::int32_t crowding = 0;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (position[i] >= 0) crowding += rules_[i].replicas[static_cast<std::size_t>(position[i])];
  }
  return crowding;
}

void Spread::Place(const Position& position) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (position[i] < 0) continue;
    ++rules_[i].replicas[static_cast<std::size_t>(position[i])];
    rules_[i].Settle();
  }
}

}  // namespace prewarm::controller::demand
