// How long one look at a large cluster takes: 1,000 nodes, 5,000 pods, 300 workloads. Compared with
// a piece of work of the same machine, so that a slow or busy one does not fail it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

#include "controller/demand/objects_json.h"
#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using std::chrono::duration;

constexpr int kNodes = 1000;
constexpr int kPods = 5000;
constexpr int kWorkloads = 300;

struct LargeCluster {
  std::deque<Node> nodes;
  std::deque<Pod> pods;
  std::deque<Deployment> deployments;
  std::deque<ReplicaSet> sets;
  std::deque<Hpa> hpas;
  std::vector<Constraints> constraints;
  World world;
};

std::string Name(std::string_view what, int number) {
  return std::string(what) + "-" + std::to_string(number);
}

void AddNodes(LargeCluster& cluster) {
  for (int i = 0; i < kNodes; ++i) {
    auto& node = cluster.nodes.emplace_back(ANode(Name("gke-cluster-pool-node", i)));
    std::vector<std::string> values;
    for (int label = 0; label < 24; ++label) values.push_back(Name("label.example.com/key", label));
    const auto pool = Name("pool", i % 10);
    const auto zone = Name("zone", i % 3);
    std::vector<std::pair<std::string_view, std::string_view>> labels{{"pool", pool},
                                                                      {"zone", zone}};
    for (const auto& value : values) labels.emplace_back(value, value);
    node.labels = Labels(labels);
    node.allocatable.extended[0].second = 8;
    if (i % 4 == 0) node.taints = {{"nvidia.com/gpu", "present", Taint::Effect::kNoSchedule}};
  }
}

void AddWorkloads(LargeCluster& cluster) {
  for (int i = 0; i < kWorkloads; ++i) {
    auto& deployment = cluster.deployments.emplace_back();
    deployment.name_space = Name("team", i % 20);
    deployment.name = Name("chat", i);
    deployment.uid = Name("uid-of-deployment", i);
    deployment.replicas = 20;
    auto& set = cluster.sets.emplace_back(Cluster::ASet(Name("set", i), 1));
    set.name_space = deployment.name_space;
    set.owner_uid = deployment.uid;
    auto& hpa = cluster.hpas.emplace_back();
    hpa.name_space = deployment.name_space;
    hpa.name = hpa.target_name = deployment.name;
    hpa.target_kind = "Deployment";
    hpa.max_replicas = 40;
    hpa.current_replicas = hpa.desired_replicas = 20;
    hpa.metrics = {{"cpu", 70, 80}};
    auto& constraints = cluster.constraints.emplace_back(OneGpu());
    constraints.node_selector = {{"pool", Name("pool", i % 10)}};
    constraints.tolerations = {{"nvidia.com/gpu", true, "", {}}};
    if (i % 3 == 0) constraints.node_selector.clear();
    if (i % 5 == 0) constraints.spread = {{"zone", 1, 1, true, {}}};
  }
}

void AddPods(LargeCluster& cluster) {
  for (int i = 0; i < kPods; ++i) {
    auto& pod = cluster.pods.emplace_back();
    const auto& set = cluster.sets[static_cast<std::size_t>(i % kWorkloads)];
    pod.name_space = set.name_space;
    pod.name = Name("pod", i);
    pod.uid = Name("uid-of-pod", i);
    pod.owner_uid = set.uid;
    if (i % 10 != 0) pod.node = Name("gke-cluster-pool-node", i * 7 % kNodes);
    pod.requests = Gpus(1);
    pod.created_at = pod.bound_at = At(-60);
  }
}

LargeCluster ALargeCluster() {
  LargeCluster cluster;
  AddNodes(cluster);
  AddWorkloads(cluster);
  AddPods(cluster);
  cluster.world.now = At(0);
  for (const auto& it : cluster.nodes) cluster.world.nodes.push_back(&it);
  for (const auto& it : cluster.pods) cluster.world.pods.push_back(&it);
  for (const auto& it : cluster.deployments) cluster.world.deployments.push_back(&it);
  for (const auto& it : cluster.sets) cluster.world.replica_sets.push_back(&it);
  for (const auto& it : cluster.hpas) cluster.world.hpas.push_back(&it);
  return cluster;
}

// One look at everything; the number of targets.
std::size_t Pass(const LargeCluster& cluster) {
  ModelFacts models = WholeModels();
  const Policy policy;
  const ClusterIndex index(cluster.world);
  std::size_t targets = 0;
  for (std::size_t i = 0; i < cluster.deployments.size(); ++i) {
    const auto& deployment = cluster.deployments[i];
    const auto& objects = index.Of(deployment.name_space, deployment.name);
    const auto demand = ReadSignals(models, objects, policy, {}, index.now());
    const TargetRequest request{&cluster.constraints[i], &policy, &demand, &objects, 1'000'000, {}};
    const auto plan = ChooseTargets(index, request, [](const Node&) {
      return CacheFacts{CacheFacts::Agent::kConnected, 0, 1'000'000'000, DiskClass::kLocalNvme};
    });
    targets += plan.targets.size();
  }
  return targets;
}

template <class Work>
double BestSeconds(Work work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = std::min(best, duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

// Sorting a million texts' numbers: about 0.1 s on a machine of 2024.
double CalibrationSeconds() {
  std::vector<std::string> texts(200'000);
  return BestSeconds([&] {
    for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = std::to_string(i * 7919 % 1'000'003);
    std::ranges::sort(texts);
  });
}

TEST(Scale, OneLookAtALargeClusterIsQuick) {
  const auto cluster = ALargeCluster();
  std::size_t targets = 0;
  const double seconds = BestSeconds([&] { targets = Pass(cluster); });
  const double calibration = CalibrationSeconds();
  std::printf(
      "one pass over %d nodes, %d pods, %d workloads: %.1f ms, %zu targets; calibration %.1f ms\n",
      kNodes, kPods, kWorkloads, seconds * 1e3, targets, calibration * 1e3);
  EXPECT_GT(targets, 4000U);
  EXPECT_LT(seconds, calibration * 10);
}

// Allocated by the texts and lists of a value.
std::size_t HeapBytes(const std::string& text) {
  const auto* object = reinterpret_cast<const char*>(&text);
  const bool inside = text.data() >= object && text.data() < object + sizeof text;
  return inside ? 0 : text.capacity() + 1;
}

TEST(Scale, FiftyThousandPodsStaySmall) {
  const auto pod = PodFromJson(Json(R"({
    "metadata": {"namespace": "team-nlp", "name": "llama-chat-runner-0-7c9f5d6b8-x2k4q",
      "uid": "6f0e7f6e-6b0a-4f55-9f5f-0d3f6f0c1a11", "annotations": {"big": "text"},
      "labels": {"yatai.ai/bento-deployment": "llama-chat", "pod-template-hash": "7c9f5d6b8",
        "yatai.ai/bento-repository": "llama_chat", "yatai.ai/bento-version": "k6v2x7m4kq3aq",
        "yatai.ai/bento-deployment-component-type": "runner", "yatai.ai/creator": "yatai-deployment"},
      "ownerReferences": [{"kind": "ReplicaSet", "name": "llama-chat-runner-0-7c9f5d6b8",
        "uid": "11111111-2222-3333-4444-555555555555", "controller": true}]},
    "spec": {"nodeName": "gke-cluster-l4-pool-1a2b3c4d-x9yz", "containers": [{"name": "main",
      "image": "registry.example.com/yatai-bentos:a-long-tag",
      "resources": {"requests": {"cpu": "6", "memory": "48Gi"}, "limits": {"nvidia.com/gpu": 1}}}]}})"));
  ASSERT_TRUE(pod);
  std::size_t bytes = sizeof(Pod) + HeapBytes(pod->name_space) + HeapBytes(pod->name) +
                      HeapBytes(pod->uid) + HeapBytes(pod->owner_uid) + HeapBytes(pod->node);
  for (std::size_t i = 0; i < pod->labels.size(); ++i) {
    const auto [key, value] = pod->labels.at(i);
    bytes += key.size() + value.size() + 8;
  }
  for (const auto& entry : pod->requests.extended) bytes += sizeof entry + HeapBytes(entry.first);
  std::printf("a pod as a value: %zu bytes; 50,000: %.1f MiB\n", bytes,
              static_cast<double>(bytes) * 50'000 / (1 << 20));
  EXPECT_LT(bytes * 50'000, std::size_t{64} << 20);
}

}  // namespace
}  // namespace prewarm::controller::demand
