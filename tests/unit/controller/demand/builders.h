// Small clusters for tests of controller/demand, in few words. What a test does not say is what a
// healthy cluster with one GPU per node has.
#pragma once

#include <boost/json/parse.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/demand/cluster_index.h"
#include "controller/demand/objects.h"
#include "controller/demand/signals.h"
#include "controller/demand/targets.h"

namespace prewarm::controller::demand {

using std::chrono::minutes;
using std::chrono::seconds;

// A moment of the story; all tests begin at At(0).
inline WallTime At(seconds after) { return WallTime(std::chrono::hours(500'000)) + after; }
inline WallTime At(int after) { return At(seconds(after)); }

inline boost::json::object Json(std::string_view text) {
  return boost::json::parse({text.data(), text.size()}).as_object();
}

inline Resources Gpus(std::int64_t count) {
  Resources resources;
  resources.extended.emplace_back(kGpuResource, count);
  return resources;
}

// Ready for a day, one GPU, of the pool "l4".
inline Node ANode(std::string name) {
  Node node;
  node.name = std::move(name);
  node.uid = "uid-" + node.name;
  node.labels = {{"pool", "l4"}, {"kubernetes.io/hostname", node.name}};
  node.allocatable = Gpus(1);
  node.allocatable.cpu_milli = 8000;
  node.allocatable.memory = std::int64_t{64} << 30;
  node.allocatable.pods = 110;
  node.ready = Truth::kTrue;
  node.created_at = At(0) - std::chrono::hours(24);
  return node;
}

inline Taint ATaint(std::string key, Taint::Effect effect = Taint::Effect::kNoSchedule) {
  return {std::move(key), "", effect};
}

// As a node looks that the cloud has just made.
inline Node AComingNode(std::string name) {
  auto node = ANode(std::move(name));
  node.ready = Truth::kFalse;
  node.created_at = At(0) - seconds(10);
  node.taints = {ATaint("node.kubernetes.io/not-ready")};
  node.allocatable = {};
  return node;
}

// Of what a pod needs: one GPU in the pool "l4".
inline Constraints OneGpu() {
  Constraints constraints;
  constraints.node_selector = {{"pool", "l4"}};
  constraints.requests = Gpus(1);
  return constraints;
}

// Whole for five minutes.
inline ModelFacts WholeModels() {
  ModelFacts models;
  models.known_at = At(-600);
  models.seeded_at = At(-300);
  return models;
}

// A cluster with one Deployment "chat" in the namespace "ml", of which pods are made.
class Cluster {
 public:
  Cluster() {
    deployment.name_space = "ml";
    deployment.name = "chat";
    deployment.uid = "uid-chat";
    deployment.replicas = 1;
    set = ASet("chat-new", 2);
  }

  static ReplicaSet ASet(std::string name, std::int64_t revision) {
    ReplicaSet set;
    set.name_space = "ml";
    set.name = name;
    set.uid = "uid-" + name;
    set.owner_uid = "uid-chat";
    set.template_hash = name.substr(name.rfind('-') + 1);
    set.revision = revision;
    set.replicas = set.current_replicas = 1;
    return set;
  }

  Hpa& WithHpa(std::int32_t min, std::int32_t max, std::int32_t desired) {
    Hpa hpa;
    hpa.name_space = "ml";
    hpa.name = "chat";
    hpa.target_kind = "Deployment";
    hpa.target_name = "chat";
    hpa.min_replicas = min;
    hpa.max_replicas = max;
    hpa.desired_replicas = desired;
    hpa.current_replicas = desired;
    deployment.replicas = desired;
    hpas = {hpa};
    return hpas.front();
  }

  Node& Add(Node node) { return nodes.emplace_back(std::move(node)); }
  void AddNodes(int count) {
    for (int i = 1; i <= count; ++i) Add(ANode("n" + std::to_string(i)));
  }

  // A pod of the newest ReplicaSet; not bound where `node` is empty.
  Pod& AddPod(std::string name, std::string node, std::string_view owner = "uid-chat-new") {
    Pod pod;
    pod.name_space = "ml";
    pod.name = std::move(name);
    pod.uid = "uid-" + pod.name;
    pod.owner_uid = owner;
    pod.node = std::move(node);
    pod.requests = Gpus(1);
    pod.created_at = At(0) - seconds(5);
    if (!pod.node.empty()) pod.bound_at = At(0) - seconds(2);
    return pods.emplace_back(std::move(pod));
  }

  [[nodiscard]] World TheWorld(WallTime now = At(0)) const {
    World world;
    world.now = now;
    for (const auto& node : nodes) world.nodes.push_back(&node);
    for (const auto& claim : claims) world.claims.push_back(&claim);
    for (const auto& pod : pods) world.pods.push_back(&pod);
    world.deployments.push_back(&deployment);
    world.replica_sets.push_back(&set);
    for (const auto& old : old_sets) world.replica_sets.push_back(&old);
    for (const auto& hpa : hpas) world.hpas.push_back(&hpa);
    for (const auto& event : scale_ups) world.scale_ups.push_back(&event);
    return world;
  }

  // One whole look, with what the looks before left in `memory` and `previous`.
  Demand Read(WallTime now = At(0)) {
    const ClusterIndex index(TheWorld(now));
    return ReadIn(index);
  }
  TargetPlan Choose(WallTime now = At(0)) {
    const ClusterIndex index(TheWorld(now));
    demand = ReadIn(index);
    TargetRequest request{&constraints, &policy, &demand, &index.Of("ml", "chat"), bytes, previous};
    auto plan = ChooseTargets(index, request, [this](const Node& node) {
      const auto at = caches.find(node.name);
      return at == caches.end() ? usual_cache : at->second;
    });
    previous.clear();
    for (const auto& target : plan.targets) {
      if (target.revision.empty()) previous.insert(target.node);
    }
    return plan;
  }

  std::deque<Node> nodes;
  std::deque<NodeClaim> claims;
  std::deque<Pod> pods;
  Deployment deployment;
  ReplicaSet set;
  std::deque<ReplicaSet> old_sets;
  std::deque<Hpa> hpas;
  std::deque<ScaleUp> scale_ups;

  ModelFacts models = WholeModels();
  Policy policy;
  Constraints constraints = OneGpu();
  std::uint64_t bytes = 1'000'000;
  CacheFacts usual_cache{CacheFacts::Agent::kConnected, 0, 1'000'000'000, DiskClass::kLocalNvme};
  std::map<std::string, CacheFacts> caches;
  SignalMemory memory;
  std::set<std::string, std::less<>> previous;
  Demand demand;

 private:
  Demand ReadIn(const ClusterIndex& index) {
    auto read = ReadSignals(models, index.Of("ml", "chat"), policy, memory, index.now());
    memory = read.memory;
    return read;
  }
};

// The names of the nodes, in the order of the plan.
inline std::vector<std::string> NodesOf(const TargetPlan& plan) {
  std::vector<std::string> nodes;
  for (const auto& target : plan.targets) nodes.push_back(target.node);
  return nodes;
}

inline const Target* TargetOn(const TargetPlan& plan, std::string_view node,
                              std::string_view revision = {}) {
  for (const auto& target : plan.targets) {
    if (target.node == node && target.revision == revision) return &target;
  }
  return nullptr;
}

}  // namespace prewarm::controller::demand
