#include "controller/demand/candidates.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/units.h"

namespace prewarm::controller::demand {
namespace {

bool MatchesPolicy(const Node& node, const Policy& policy) {
  return std::ranges::all_of(policy.node_selector, [&](const auto& label) {
    return node.labels.Has(label.first, label.second);
  });
}

std::uint64_t Missing(const CacheFacts& facts, std::uint64_t bytes) {
  return bytes - std::min(bytes, facts.present_bytes);
}

// What is enough four times over is as good as more.
std::int32_t Tightness(std::uint64_t missing, std::uint64_t room) {
  if (missing == 0 || room / missing >= 4) return 0;
  return room / missing >= 2 ? 1 : 2;
}

// In tenths, rounded up; where the size is not known, whether anything is there.
std::int32_t MissingTenths(const CacheFacts& facts, std::uint64_t bytes) {
  constexpr std::int32_t kAll = 10;
  if (bytes == 0) return facts.present_bytes > 0 ? 0 : kAll;
  const auto part = static_cast<double>(Missing(facts, bytes)) / static_cast<double>(bytes);
  return std::min(kAll, static_cast<std::int32_t>(part * kAll + 0.999));
}

std::map<std::string_view, Resources> OldPods(const TargetRequest& request) {
  std::map<std::string_view, Resources> old;
  const auto& bound = request.demand->bound;
  for (const auto* pod : request.objects->pods) {
    if (pod->deleting || !pod->Occupies()) continue;  // those count as leaving anyway
    if (std::ranges::find(bound, pod) != bound.end()) continue;
    auto& requests = old[pod->node];
    requests.Add(pod->requests);
    ++requests.pods;
  }
  return old;
}

}  // namespace

bool BetterThan(const Candidate& a, const Candidate& b) {
  if (const auto order = a.merit <=> b.merit; order != 0) return order < 0;
  return a.number < b.number;
}

Candidates::Candidates(const ClusterIndex& cluster, const TargetRequest& request,
                       const CacheOf& cache_of, const std::set<std::string_view>& taken,
                       Which which)
    : request_(request),
      cache_of_(cache_of),
      old_pods_(OldPods(request)),
      rejections_(*request.constraints) {
  if (which == Which::kNone) return;
  for (const auto& state : cluster.nodes()) {
    const bool wanted = which == Which::kAll || state.phase.fresh;
    if (wanted && !taken.contains(state.node->name)) Consider(state, false);
  }
  if (!request.policy->triggers.on_node_join) return;
  for (const auto& [claim, state] : cluster.claims()) {
    if (!claim->node.empty()) {
      if (!taken.contains(claim->node)) Consider(state, true);
    } else if (MatchesPolicy(*state.node, *request.policy) &&
               !WhyNot(state, *request.constraints, false)) {
      expected_.push_back({claim->name, claim->pool});
    }
  }
}

// Pods of versions before make way for those of the newest one.
const NodeState* Candidates::WithoutOldPods(const NodeState* state) {
  const auto old = old_pods_.find(state->node->name);
  if (old == old_pods_.end()) return state;
  auto& adjusted = adjusted_.emplace_back(*state);
  adjusted.freeing.Add(old->second);
  return &adjusted;
}

void Candidates::Consider(const NodeState& original, bool claimed) {
  const auto& node = *original.node;
  if (!MatchesPolicy(node, *request_.policy)) {
    rejections_.Add(node.name, "is not one that the policy chooses");
    return;
  }
  const auto& state = *WithoutOldPods(&original);
  if (const auto refusal = WhyNot(state, *request_.constraints, true)) {
    rejections_.Add(state, *refusal);
    return;
  }
  const auto facts = cache_of_(node);
  if (facts.agent == CacheFacts::Agent::kNone && !state.phase.fresh) {
    rejections_.Add(node.name, "has no agent");
    return;
  }
  const auto missing = Missing(facts, request_.bytes);
  if (facts.agent != CacheFacts::Agent::kNone && missing > facts.room_bytes) {
    rejections_.Add(
        node.name, words_.emplace_back("needs " + FormatBytes(missing) +
                                       " of cache, has room for " + FormatBytes(facts.room_bytes)));
    return;
  }
  auto candidate = Rate(state, facts);
  candidate.claimed = claimed;
  candidate.number = static_cast<std::uint32_t>(list_.size());
  list_.push_back(candidate);
}

Candidate Candidates::Rate(const NodeState& state, const CacheFacts& facts) const {
  constexpr std::int64_t kEnoughPods = 16;
  const auto& node = *state.node;
  const auto room = RoomFor(state, *request_.constraints, kEnoughPods);
  Candidate candidate;
  candidate.state = &state;
  candidate.fresh = state.phase.fresh;
  candidate.previous = request_.previous.contains(node.name);
  auto& merit = candidate.merit;
  merit.when = room == 0 ? 2 : state.phase.kind == NodePhase::Kind::kComing ? 1 : 0;
  merit.agent = facts.agent == CacheFacts::Agent::kConnected ? 0 : 1;
  merit.preference = -Preference(state, *request_.constraints);
  merit.room = -room;
  merit.missing = MissingTenths(facts, request_.bytes);
  merit.disk = facts.disk;
  merit.space = Tightness(Missing(facts, request_.bytes), facts.room_bytes);
  merit.spot = state.spot;
  return candidate;
}

}  // namespace prewarm::controller::demand
