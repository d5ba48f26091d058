#include "controller/demand/rejections.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace prewarm::controller::demand {

bool Rejections::Same(const Group& group, const NodeState& state, const Refusal& refusal) const {
  if (group.state == nullptr || group.refusal.kind != refusal.kind) return false;
  switch (refusal.kind) {
    case Refusal::Kind::kPhase: return group.state->phase.why == state.phase.why;
    case Refusal::Kind::kTaint:
      return group.state->node->taints[group.refusal.index] == state.node->taints[refusal.index];
    default: return group.refusal.index == refusal.index;
  }
}

void Rejections::Count(Group& group, std::string_view node) {
  ++group.count;
  if (group.nodes.size() < kShownNodes) group.nodes.push_back(node);
}

void Rejections::Add(const NodeState& state, const Refusal& refusal) {
  auto at = std::ranges::find_if(groups_,
                                 [&](const Group& group) { return Same(group, state, refusal); });
  if (at == groups_.end()) at = groups_.insert(at, Group{&state, refusal, {}, 0, {}});
  if (refusal.free > at->refusal.free) {
    at->state = &state;
    at->refusal = refusal;
  }
  Count(*at, state.node->name);
}

void Rejections::Add(std::string_view node, std::string_view words) {
  auto at = std::ranges::find_if(
      groups_, [&](const Group& group) { return group.state == nullptr && group.words == words; });
  if (at == groups_.end()) at = groups_.insert(at, Group{nullptr, {}, words, 0, {}});
  Count(*at, node);
}

std::vector<Rejected> Rejections::Sorted() const {
  std::vector<Rejected> rejected;
  for (const auto& group : groups_) {
    auto reason = group.state == nullptr ? std::string(group.words)
                                         : Words(group.refusal, *group.state, constraints_);
    rejected.push_back({std::move(reason), group.count, {group.nodes.begin(), group.nodes.end()}});
  }
  std::ranges::sort(rejected, [](const Rejected& a, const Rejected& b) {
    return std::tie(b.count, a.reason) < std::tie(a.count, b.reason);
  });
  return rejected;
}

}  // namespace prewarm::controller::demand
