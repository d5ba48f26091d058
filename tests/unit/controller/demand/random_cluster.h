// Random clusters for what must hold of signals and targets in any of them. Few distinct values, so
// that equals and conflicts are common.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  int Below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound)); }
  int Between(int low, int high) { return low + Below(high - low + 1); }
  bool Chance(int percent) { return Below(100) < percent; }
  template <class T>
  const T& Of(const std::vector<T>& items) {
    return items[static_cast<std::size_t>(Below(static_cast<int>(items.size())))];
  }
  template <class T>
  void Shuffle(T& items) {
    std::shuffle(items.begin(), items.end(), engine_);
  }

 private:
  std::mt19937_64 engine_;
};

inline Taint AnyTaint(Random& random) {
  static const std::vector<std::string> kKeys{"nvidia.com/gpu",
                                              "team",
                                              "node.kubernetes.io/not-ready",
                                              "ToBeDeletedByClusterAutoscaler",
                                              "karpenter.sh/disrupted",
                                              "startup-taint.cluster-autoscaler.kubernetes.io/x",
                                              "prewarm.dev/cache-not-ready"};
  static const std::vector<Taint::Effect> kEffects{
      Taint::Effect::kNoSchedule, Taint::Effect::kPreferNoSchedule, Taint::Effect::kNoExecute};
  return {random.Of(kKeys), random.Chance(50) ? "present" : "", random.Of(kEffects)};
}

inline Node AnyNode(Random& random, std::string name) {
  auto node = ANode(std::move(name));
  const std::string zone(1, static_cast<char>('a' + random.Below(3)));
  const std::string pool = random.Chance(75) ? "l4" : "t4";
  if (random.Chance(90)) {
    node.labels = {{"pool", pool}, {"zone", zone}, {"cores", random.Chance(50) ? "8" : "16"}};
  } else {
    node.labels = {{"pool", pool}, {"cloud.google.com/gke-nodepool", "p"}};
  }
  for (int i = random.Chance(40) ? random.Between(1, 2) : 0; i > 0; --i) {
    node.taints.push_back(AnyTaint(random));
  }
  node.unschedulable = random.Chance(5);
  node.disk_pressure = random.Chance(3);
  node.deleting = random.Chance(3);
  node.ready = random.Chance(85) ? Truth::kTrue : Truth::kFalse;
  node.created_at = At(0) - minutes(random.Of(std::vector<int>{1, 5, 15, 30, 600}));
  if (random.Chance(10)) node.allocatable = {};
  if (!node.allocatable.extended.empty()) {
    node.allocatable.extended[0].second = random.Of(std::vector<std::int64_t>{0, 1, 2, 8});
  }
  return node;
}

inline Constraints AnyConstraints(Random& random) {
  using Operator = Requirement::Operator;
  Constraints constraints;
  constraints.requests = Gpus(random.Between(0, 2));
  if (constraints.requests.extended[0].second == 0) constraints.requests.extended.clear();
  constraints.requests.cpu_milli = random.Of(std::vector<std::int64_t>{0, 100, 4000});
  if (random.Chance(60)) constraints.node_selector = {{"pool", random.Chance(80) ? "l4" : "t4"}};
  if (random.Chance(30)) {
    constraints.required = {{{{"zone", Operator::kIn, {"a", "b"}}}, {}},
                            {{{"cores", Operator::kGt, {"8"}}}, {}}};
  }
  if (random.Chance(30)) {
    constraints.preferred = {{random.Between(1, 100), {{{"zone", Operator::kIn, {"b"}}}, {}}}};
  }
  if (random.Chance(50)) constraints.tolerations.push_back({"nvidia.com/gpu", true, "", {}});
  if (random.Chance(20)) {
    constraints.tolerations.push_back({"team", false, "present", Taint::Effect::kNoSchedule});
  }
  if (random.Chance(25)) {
    constraints.spread.push_back(
        {"zone", random.Between(1, 2), random.Between(1, 3), random.Chance(60), {}});
  }
  return constraints;
}

inline void AddAnyPods(Random& random, Cluster& cluster, const std::vector<std::string>& names) {
  static const std::vector<std::string> kOwners{"uid-chat-new", "uid-chat-new", "uid-chat-old",
                                                "somebody else"};
  for (int i = random.Below(10); i > 0; --i) {
    const bool bound = random.Chance(70) && !names.empty();
    auto& pod = cluster.AddPod("chat-" + std::to_string(i), bound ? random.Of(names) : "",
                               random.Of(kOwners));
    pod.deleting = random.Chance(10);
    if (bound && random.Chance(50)) pod.started_at = At(-1);
    if (random.Chance(5)) pod.phase = PodPhase::kFailed;
    if (!bound && random.Chance(40)) {
      cluster.scale_ups.push_back({"ml", pod.name, pod.uid, {{"g", 0, 1}}, At(-1)});
    }
  }
}

inline void AddAnyClaims(Random& random, Cluster& cluster) {
  for (int i = random.Below(3); i > 0; --i) {
    auto& claim = cluster.claims.emplace_back();
    claim.name = "claim-" + std::to_string(i);
    claim.pool = "gpu";
    if (random.Chance(50)) claim.node = "n" + std::to_string(random.Below(20));
    claim.labels = {{"pool", "l4"}, {"zone", "a"}};
    claim.created_at = At(-30);
    if (random.Chance(40)) claim.startup_taints = {AnyTaint(random)};
    claim.initialized = random.Chance(30);
    claim.deleting = random.Chance(10);
  }
}

inline void SetAnyPolicy(Random& random, Policy& policy) {
  policy.priority = random.Of(std::vector<int>{0, 100, 900, 1000});
  policy.max_nodes = random.Chance(30) ? random.Between(1, 4) : 0;
  policy.keep_nodes = random.Below(4);
  policy.triggers.on_node_join = random.Chance(80);
  policy.triggers.on_seeded = random.Chance(90);
  policy.triggers.on_pending_pod = random.Chance(90);
  policy.suspend = random.Chance(2);
  if (random.Chance(15)) policy.node_selector = {{"zone", "a"}};
}

inline void SetAnyCaches(Random& random, Cluster& cluster, const std::vector<std::string>& names) {
  static const std::vector<DiskClass> kDisks{DiskClass::kLocalNvme, DiskClass::kNetwork,
                                             DiskClass::kUnknown};
  static const std::vector<CacheFacts::Agent> kAgents{
      CacheFacts::Agent::kNone, CacheFacts::Agent::kAway, CacheFacts::Agent::kConnected};
  for (const auto& name : names) {
    if (random.Chance(50)) continue;
    cluster.caches[name] = {
        random.Of(kAgents), static_cast<std::uint64_t>(random.Below(3)) * 500'000,
        static_cast<std::uint64_t>(random.Below(4)) * 600'000, random.Of(kDisks)};
  }
}

inline Cluster AnyCluster(Random& random, int most_nodes = 14) {
  Cluster cluster;
  std::vector<std::string> names;
  for (int i = random.Below(most_nodes + 1); i > 0; --i) {
    names.push_back("n" + std::to_string(i));
    cluster.Add(AnyNode(random, names.back()));
  }
  cluster.constraints = AnyConstraints(random);
  if (random.Chance(40)) {
    auto& old = cluster.old_sets.emplace_back(Cluster::ASet("chat-old", 1));
    old.replicas = old.current_replicas = random.Below(3);
  }
  AddAnyPods(random, cluster, names);
  AddAnyClaims(random, cluster);
  SetAnyPolicy(random, cluster.policy);
  SetAnyCaches(random, cluster, names);
  cluster.models.max_replicas = random.Between(1, 6);
  cluster.deployment.replicas = random.Below(6);
  if (random.Chance(60)) {
    auto& hpa = cluster.WithHpa(random.Below(3), random.Between(1, 8), random.Below(9));
    hpa.metrics = {{"cpu", static_cast<double>(random.Below(200)), 80}};
  }
  if (random.Chance(5)) cluster.models.seeded_at.reset();
  cluster.bytes = random.Chance(10) ? 0 : 1'000'000;
  return cluster;
}

}  // namespace prewarm::controller::demand
