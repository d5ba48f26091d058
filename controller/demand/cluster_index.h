// Who belongs to whom: from one view of the cluster to the objects of each Deployment, and to what
// each node has left. Built once per pass, then asked for every workload. Pure; the objects outlive
// the index.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/demand/constraints.h"
#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

// All of the cluster that matters, in any order. Pointers into the caches of watched objects.
struct World {
  std::vector<const Node*> nodes;
  std::vector<const NodeClaim*> claims;
  std::vector<const Pod*> pods;
  std::vector<const Deployment*> deployments;
  std::vector<const ReplicaSet*> replica_sets;
  std::vector<const Hpa*> hpas;
  std::vector<const ScaleUp*> scale_ups;
  WallTime now;
};

// The objects of one Deployment, each list sorted by name, whatever order the world came in.
struct WorkloadObjects {
  const Deployment* deployment = nullptr;  // nothing: not made yet, or gone
  const Hpa* hpa = nullptr;
  std::vector<const ReplicaSet*> replica_sets;
  std::vector<const Pod*> pods;           // not ended
  std::vector<const ScaleUp*> scale_ups;  // for these pods
};

class ClusterIndex {
 public:
  explicit ClusterIndex(const World& world);
  ClusterIndex(const ClusterIndex&) = delete;
  ClusterIndex& operator=(const ClusterIndex&) = delete;

  // Sorted by name; one for every node.
  [[nodiscard]] const std::vector<NodeState>& nodes() const { return nodes_; }
  [[nodiscard]] const NodeState* FindNode(std::string_view name) const;
  // Claims whose node is not there yet, as nodes that are coming; sorted by name. Node::name is
  // that of the node, if the claim knows it.
  struct ComingClaim {
    const NodeClaim* claim = nullptr;
    NodeState state;
  };
  [[nodiscard]] const std::vector<ComingClaim>& claims() const { return claims_; }
  [[nodiscard]] WallTime now() const { return now_; }

  [[nodiscard]] const WorkloadObjects& Of(std::string_view name_space,
                                          std::string_view deployment) const;

 private:
  void AddNodes(const World& world);
  void AddClaims(const World& world);
  void AddPods(const World& world);
  void AddWorkloads(const World& world);

  std::vector<NodeState> nodes_;
  std::vector<ComingClaim> claims_;
  std::vector<Node> claimed_nodes_;  // what claims_ point to
  std::map<std::pair<std::string_view, std::string_view>, WorkloadObjects> workloads_;
  WorkloadObjects nothing_;
  WallTime now_;
};

}  // namespace prewarm::controller::demand
