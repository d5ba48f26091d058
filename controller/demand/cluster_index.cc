#include "controller/demand/cluster_index.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

namespace prewarm::controller::demand {
namespace {

std::unordered_map<std::string_view, const NodeClaim*> ClaimsByNode(const World& world) {
  std::unordered_map<std::string_view, const NodeClaim*> claims;
  for (const auto* claim : world.claims) {
    if (claim->node.empty()) continue;
    auto& chosen = claims[claim->node];
    if (chosen == nullptr || claim->name < chosen->name) chosen = claim;
  }
  return claims;
}

// The claim as the node that it will become.
Node AsNode(const NodeClaim& claim) {
  Node node;
  node.name = claim.node;
  node.labels = claim.labels;
  node.taints = claim.taints;
  node.allocatable = claim.allocatable;
  node.deleting = claim.deleting;
  node.created_at = claim.created_at;
  return node;
}

void SortByName(auto& objects) {
  std::ranges::sort(objects, {}, [](const auto* object) {
    return std::tie(object->name_space, object->name, object->uid);
  });
}

}  // namespace

ClusterIndex::ClusterIndex(const World& world) : now_(world.now) {
  AddNodes(world);
  AddClaims(world);
  AddPods(world);
  AddWorkloads(world);
}

void ClusterIndex::AddNodes(const World& world) {
  const auto claims = ClaimsByNode(world);
  nodes_.reserve(world.nodes.size());
  for (const auto* node : world.nodes) {
    static const std::vector<Taint> kNone;
    const auto claim = claims.find(node->name);
    // A claim that is initialized has got rid of them; what looks like one now is meant to stay.
    const bool starting = claim != claims.end() && !claim->second->initialized;
    nodes_.push_back(StateOf(*node, starting ? claim->second->startup_taints : kNone, now_));
  }
  std::ranges::sort(nodes_, {},
                    [](const NodeState& state) -> const std::string& { return state.node->name; });
}

void ClusterIndex::AddClaims(const World& world) {
  auto claims = world.claims;
  std::ranges::sort(claims, {},
                    [](const NodeClaim* claim) -> const std::string& { return claim->name; });
  std::unordered_set<std::string_view> named;  // one node for one claim, whatever claims say
  std::erase_if(claims, [&](const NodeClaim* claim) {
    return !claim->node.empty() &&
           (FindNode(claim->node) != nullptr || !named.insert(claim->node).second);
  });
  claimed_nodes_.reserve(claims.size());  // what points into it stays valid
  for (const auto* claim : claims) {
    claimed_nodes_.push_back(AsNode(*claim));
    claims_.push_back({claim, StateOf(claimed_nodes_.back(), claim->startup_taints, now_)});
  }
}

const NodeState* ClusterIndex::FindNode(std::string_view name) const {
  const auto at = std::ranges::lower_bound(
      nodes_, name, {}, [](const NodeState& state) { return std::string_view(state.node->name); });
  return at != nodes_.end() && at->node->name == name ? &*at : nullptr;
}

void ClusterIndex::AddPods(const World& world) {
  std::unordered_map<std::string_view, NodeState*> by_name;
  for (auto& state : nodes_) by_name.emplace(state.node->name, &state);
  for (const auto* pod : world.pods) {
    if (!pod->Occupies()) continue;
    const auto at = by_name.find(pod->node);
    if (at == by_name.end()) continue;
    auto& state = *at->second;
    state.used.Add(pod->requests);
    ++state.used.pods;
    if (!pod->deleting) continue;
    state.freeing.Add(pod->requests);
    ++state.freeing.pods;
  }
}

void ClusterIndex::AddWorkloads(const World& world) {
  std::unordered_map<std::string_view, WorkloadObjects*> by_uid;  // of Deployments and their sets
  for (const auto* deployment : world.deployments) {
    auto& objects = workloads_[{deployment->name_space, deployment->name}];
    objects.deployment = deployment;
    by_uid.emplace(deployment->uid, &objects);
  }
  for (const auto* set : world.replica_sets) {
    const auto owner = by_uid.find(set->owner_uid);
    if (set->owner_uid.empty() || owner == by_uid.end()) continue;
    owner->second->replica_sets.push_back(set);
    by_uid.emplace(set->uid, owner->second);
  }
  std::unordered_map<std::string_view, WorkloadObjects*> by_pod;
  for (const auto* pod : world.pods) {
    const auto owner = by_uid.find(pod->owner_uid);
    if (pod->Ended() || pod->owner_uid.empty() || owner == by_uid.end()) continue;
    owner->second->pods.push_back(pod);
    by_pod.emplace(pod->uid, owner->second);
  }
  for (const auto* hpa : world.hpas) {
    if (hpa->target_kind != "Deployment") continue;
    auto& chosen = workloads_[{hpa->name_space, hpa->target_name}].hpa;
    if (chosen == nullptr || hpa->name < chosen->name) chosen = hpa;
  }
  for (const auto* event : world.scale_ups) {
    const auto owner = by_pod.find(event->pod_uid);
    if (owner != by_pod.end()) owner->second->scale_ups.push_back(event);
  }
  for (auto& [name, objects] : workloads_) {
    SortByName(objects.replica_sets);
    SortByName(objects.pods);
    std::ranges::sort(objects.scale_ups, {},
                      [](const ScaleUp* event) { return std::tie(event->pod, event->at); });
  }
}

const WorkloadObjects& ClusterIndex::Of(std::string_view name_space,
                                        std::string_view deployment) const {
  const auto at = workloads_.find({name_space, deployment});
  return at == workloads_.end() ? nothing_ : at->second;
}

}  // namespace prewarm::controller::demand
