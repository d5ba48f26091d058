// Whether a node can take a pod, by the cases of the Kubernetes documentation.
#include "controller/demand/constraints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/demand/constraints_json.h"
#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using Effect = Taint::Effect;

Constraints Read(std::string_view pod_spec) {
  auto constraints = ConstraintsFromJson(Json(pod_spec));
  EXPECT_TRUE(constraints) << (constraints ? "" : constraints.error().message);
  return constraints.value_or(Constraints{});
}

NodeState State(const Node& node) { return StateOf(node, {}, At(0)); }

// Why not, in words; empty: it can.
std::string Why(const Node& node, const Constraints& constraints) {
  return CannotTake(State(node), constraints).value_or("");
}

Node Labelled(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  auto node = ANode("n");
  node.labels = labels;
  return node;
}

// concepts/scheduling-eviction/assign-pod-node, "nodeSelector" and "Node affinity".
TEST(CanTake, NeedsEveryLabelOfTheNodeSelector) {
  const auto pod = Read(R"({"nodeSelector": {"disktype": "ssd", "zone": "a"}})");
  EXPECT_EQ(Why(Labelled({{"disktype", "ssd"}, {"zone", "a"}, {"more", ""}}), pod), "");
  EXPECT_EQ(Why(Labelled({{"disktype", "ssd"}}), pod), "does not have the label zone=a");
  EXPECT_EQ(Why(Labelled({{"disktype", "hdd"}, {"zone", "a"}}), pod),
            "does not have the label disktype=ssd");
}

TEST(CanTake, NeedsOneTermAndAllItsExpressions) {
  const auto pod = Read(R"({"affinity": {"nodeAffinity": {
    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
      {"matchExpressions": [
        {"key": "topology.kubernetes.io/zone", "operator": "In",
         "values": ["antarctica-east1", "antarctica-west1"]},
        {"key": "cores", "operator": "Gt", "values": ["8"]}]},
      {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}],
       "matchExpressions": [{"key": "special", "operator": "Exists"}]}]}}}})");
  EXPECT_EQ(
      Why(Labelled({{"topology.kubernetes.io/zone", "antarctica-east1"}, {"cores", "16"}}), pod),
      "");
  EXPECT_EQ(
      Why(Labelled({{"topology.kubernetes.io/zone", "antarctica-east1"}, {"cores", "8"}}), pod),
      "does not meet the required node affinity");
  auto special = Labelled({{"special", ""}});
  EXPECT_EQ(Why(special, pod), "");
  special.name = "another";
  EXPECT_NE(Why(special, pod), "");
}

TEST(CanTake, NeedsSelectorAndAffinityBoth) {
  const auto pod = Read(R"({"nodeSelector": {"a": "1"}, "affinity": {"nodeAffinity": {
    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
      {"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}]}}}})");
  EXPECT_EQ(Why(Labelled({{"a", "1"}}), pod), "");
  EXPECT_EQ(Why(Labelled({{"a", "1"}, {"b", ""}}), pod), "does not meet b does not exist");
  EXPECT_EQ(Why(Labelled({}), pod), "does not have the label a=1");
}

TEST(CanTake, NothingWithAnEmptyTermOrNone) {
  for (const auto* terms : {"[]", "[{}]", R"([{"matchExpressions": []}])"}) {
    const auto pod = Read(std::string(R"({"affinity": {"nodeAffinity": {
               "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": )") +
                          terms + "}}}}");
    EXPECT_NE(Why(ANode("n"), pod), "") << terms;
  }
}

TEST(CanTake, OnlyTheNodeThatThePodNames) {
  const auto pod = Read(R"({"nodeName": "this"})");
  EXPECT_EQ(Why(ANode("this"), pod), "");
  EXPECT_NE(Why(ANode("that"), pod), "");
}

// concepts/scheduling-eviction/taint-and-toleration.
TEST(CanTake, NeedsATolerationForEveryHardTaint) {
  auto node = ANode("n");
  node.taints = {{"key1", "value1", Effect::kNoSchedule},
                 {"key1", "value1", Effect::kNoExecute},
                 {"key2", "value2", Effect::kNoSchedule}};
  const auto pod = Read(R"({"tolerations": [
    {"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoSchedule"},
    {"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoExecute"}]})");
  EXPECT_EQ(Why(node, pod), "has the taint key2=value2:NoSchedule");
  node.taints.pop_back();
  EXPECT_EQ(Why(node, pod), "");
  node.taints = {{"key2", "value2", Effect::kPreferNoSchedule}};
  EXPECT_EQ(Why(node, pod), "") << "that is only a preference";
}

TEST(Tolerations, MatchAsDocumented) {
  const Taint taint{"key1", "value1", Effect::kNoSchedule};
  const struct {
    const char* toleration;
    bool tolerates;
  } kCases[] = {
      {R"({"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoSchedule"})", true},
      {R"({"key": "key1", "operator": "Exists", "effect": "NoSchedule"})", true},
      {R"({"key": "key1", "value": "value1"})", true},  // Equal, every effect
      {R"({"key": "key1", "operator": "Exists"})", true},
      {R"({"operator": "Exists"})", true},  // everything
      {R"({"operator": "Exists", "effect": "NoExecute"})", false},
      {R"({"operator": "Exists", "effect": "NoSchedule"})", true},
      {R"({"key": "key1"})", false},  // Equal to the empty value
      {R"({"key": "key1", "value": "value2"})", false},
      {R"({"key": "key", "operator": "Exists"})", false},
      {R"({"key": "key1", "operator": "Exists", "effect": "PreferNoSchedule"})", false},
  };
  for (const auto& it : kCases) {
    const auto pod = Read(std::string(R"({"tolerations": [)") + it.toleration + "]}");
    ASSERT_EQ(pod.tolerations.size(), 1U);
    EXPECT_EQ(pod.tolerations[0].Tolerates(taint), it.tolerates) << it.toleration;
  }
}

TEST(CanTake, LeavesOutTheTaintsOfNodesThatAreComing) {
  for (const auto* key :
       {"node.kubernetes.io/not-ready", "node.cloudprovider.kubernetes.io/uninitialized",
        "karpenter.sh/unregistered", "startup-taint.cluster-autoscaler.kubernetes.io/cache",
        "ignore-taint.cluster-autoscaler.kubernetes.io/x", "prewarm.dev/cache-not-ready"}) {
    auto node = AComingNode("n");
    node.taints = {ATaint(key, Effect::kNoExecute)};
    EXPECT_EQ(Why(node, {}), "") << key;
  }
  auto node = AComingNode("n");
  node.taints.push_back(ATaint("team"));
  EXPECT_EQ(Why(node, {}), "has the taint team:NoSchedule");
}

TEST(CanTake, CountsStartupTaintsOfTheClaim) {
  auto node = AComingNode("n");
  node.taints = {ATaint("cilium.io/agent-not-ready")};
  EXPECT_TRUE(CannotTake(State(node), {}));
  EXPECT_FALSE(CannotTake(StateOf(node, node.taints, At(0)), {}));
}

TEST(CanTake, NeedsFreeResources) {
  const auto node = ANode("n");
  auto state = State(node);
  const auto pod = Read(R"({"containers": [{"resources":
    {"requests": {"cpu": "6", "memory": "48Gi"}, "limits": {"nvidia.com/gpu": 1}}}]})");
  EXPECT_FALSE(CannotTake(state, pod));
  state.used = Gpus(1);
  EXPECT_EQ(CannotTake(state, pod), "needs 1 nvidia.com/gpu, 0 free");
  state.freeing = Gpus(1);
  EXPECT_FALSE(CannotTake(state, pod)) << "the pod that has it is going";
  EXPECT_TRUE(WhyNot(state, pod, false)) << "but it is still there";
  state = State(node);
  state.used.cpu_milli = 2500;
  EXPECT_EQ(CannotTake(state, pod), "needs 6 CPU, 5.5 free");
  state.used.cpu_milli = 0;
  state.used.memory = std::int64_t{20} << 30;
  EXPECT_EQ(CannotTake(state, pod), "needs 48.0 GiB of memory, 44.0 GiB free");
  state.used.memory = 0;
  state.used.pods = 110;
  EXPECT_EQ(CannotTake(state, pod), "has no place for one more pod");
}

TEST(CanTake, NeedsCustomResourcesByTheirName) {
  auto node = ANode("n");
  const auto pod = Read(R"({"containers": [{"resources": {"limits": {"amd.com/gpu": "2",
    "ephemeral-storage": "10Gi"}}}]})");
  EXPECT_EQ(Why(node, pod), "needs 2 amd.com/gpu, 0 free");
  node.allocatable.extended.emplace(node.allocatable.extended.begin(), "amd.com/gpu", 2);
  EXPECT_EQ(Why(node, pod), "needs 10.0 GiB of ephemeral storage, 0 B free");
  node.allocatable.ephemeral_storage = std::int64_t{10} << 30;
  EXPECT_EQ(Why(node, pod), "");
}

TEST(CanTake, WaitsForTheDevicesOfANewNodeWhereItIsMeantToHaveThem) {
  auto node = AComingNode("n");
  Constraints pod;
  pod.requests = Gpus(1);
  EXPECT_EQ(Why(node, pod), "needs 1 nvidia.com/gpu, 0 free") << "nothing hints at GPUs";
  pod.node_selector = {{"pool", "l4"}};
  EXPECT_EQ(Why(node, pod), "") << "the pod chose this pool for them";
  pod.node_selector.clear();
  node.labels = {{"cloud.google.com/gke-accelerator", "nvidia-l4"}};
  EXPECT_EQ(Why(node, pod), "");
  node.labels = {};
  node.taints.push_back({"nvidia.com/gpu", "present", Effect::kNoSchedule});
  pod.extended_resource_toleration = true;
  EXPECT_EQ(Why(node, pod), "");
  node.created_at = At(0) - std::chrono::hours(9);
  node.ready = Truth::kTrue;
  node.taints.erase(node.taints.begin());
  node.allocatable = ANode("n").allocatable;
  node.allocatable.extended.clear();
  EXPECT_EQ(Why(node, pod), "needs 1 nvidia.com/gpu, 0 free") << "it is old and has none";
}

TEST(CanTake, ToleratesTheTaintOfItsOwnDevicesOnGke) {
  auto node = ANode("n");
  node.taints = {{"nvidia.com/gpu", "present", Effect::kNoSchedule}};
  Constraints pod;
  pod.requests = Gpus(1);
  EXPECT_EQ(Why(node, pod), "has the taint nvidia.com/gpu=present:NoSchedule");
  node.labels = {{"cloud.google.com/gke-nodepool", "gpu"}};
  EXPECT_EQ(Why(node, pod), "");
  pod.requests = {};
  EXPECT_NE(Why(node, pod), "") << "it asks for none";
}

TEST(Room, CountsThePodsThatFitNow) {
  auto node = ANode("n");
  node.allocatable.extended[0].second = 8;
  auto state = State(node);
  auto pod = OneGpu();
  EXPECT_EQ(RoomFor(state, pod, 16), 8);
  EXPECT_EQ(RoomFor(state, pod, 3), 3);
  pod.requests.extended[0].second = 3;
  EXPECT_EQ(RoomFor(state, pod, 16), 2);
  state.used = Gpus(6);
  state.freeing = Gpus(6);
  EXPECT_EQ(RoomFor(state, pod, 16), 0);
}

TEST(Preference, SumsTheWeightsOfMatchingTerms) {
  const auto pod = Read(R"({"affinity": {"nodeAffinity": {
    "preferredDuringSchedulingIgnoredDuringExecution": [
      {"weight": 1, "preference": {"matchExpressions": [{"key": "label-1", "operator": "Exists"}]}},
      {"weight": 50, "preference": {"matchExpressions": [{"key": "label-2", "operator": "In",
                                                          "values": ["key-2"]}]}}]}}})");
  const auto preference = [&](const Node& node) { return Preference(State(node), pod); };
  EXPECT_EQ(preference(Labelled({{"label-1", "x"}})), 1);
  EXPECT_EQ(preference(Labelled({{"label-1", "x"}, {"label-2", "key-2"}})), 51);
  EXPECT_EQ(preference(Labelled({})), 0);
  EXPECT_EQ(Why(Labelled({}), pod), "") << "a preference refuses nothing";
}

TEST(Requests, AreWhatTheSchedulerReserves) {
  // concepts/workloads/pods/init-containers, "Resource sharing within containers", and sidecars.
  const auto pod = Read(R"({
    "initContainers": [
      {"name": "first", "resources": {"requests": {"cpu": "3"}}},
      {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
      {"name": "second", "resources": {"requests": {"cpu": "2", "nvidia.com/gpu": "1"}}}],
    "containers": [
      {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
      {"resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "4", "memory": "2Gi"}}}],
    "overhead": {"cpu": "100m"}})");
  EXPECT_EQ(pod.requests.cpu_milli, 3100) << "the first init container, and the overhead";
  EXPECT_EQ(pod.requests.memory, std::int64_t{3} << 30) << "a limit without a request is one";
  EXPECT_EQ(pod.requests.Extended("nvidia.com/gpu"), 1);

  const auto sidecar = Read(R"({
    "initContainers": [
      {"restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}},
      {"resources": {"requests": {"cpu": "3"}}}],
    "containers": [{"resources": {"requests": {"cpu": "2"}}}]})");
  EXPECT_EQ(sidecar.requests.cpu_milli, 5000) << "the init container runs beside the sidecar";
}

TEST(ConstraintsJson, NamesWhatIsWrong) {
  const struct {
    const char* spec;
    const char* message;
  } kCases[] = {
      {R"({"nodeSelector": []})", "nodeSelector is a list, not an object"},
      {R"({"nodeSelector": {"a": 1}})", "nodeSelector is a number, not a map of texts"},
      {R"({"tolerations": [{"key": "a", "operator": "Like"}]})",
       "tolerations[0].operator is neither Equal nor Exists"},
      {R"({"tolerations": [{"value": "a"}]})",
       "tolerations[0].operator must be Exists where there is no key"},
      {R"({"tolerations": [1]})", "tolerations[0] is a number, not an object"},
      {R"({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "one"}}}]})",
       "containers[0].resources.limits.nvidia.com/gpu is wrong: \"one\" is not a quantity such as "
       "500m or 16Gi"},
      {R"({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
           {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]}}}})",
       "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
       "matchExpressions[0].values is empty"},
      {R"({"topologySpreadConstraints": [{"maxSkew": 1}]})",
       "topologySpreadConstraints[0].topologyKey is missing"},
  };
  for (const auto& it : kCases) {
    const auto constraints = ConstraintsFromJson(Json(it.spec));
    ASSERT_FALSE(constraints) << it.spec;
    EXPECT_EQ(constraints.error().message, it.message);
    EXPECT_EQ(constraints.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ConstraintsJson, ReadsTopologySpread) {
  const auto pod = Read(R"({"topologySpreadConstraints": [
    {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 3,
     "labelSelector": {"matchLabels": {"foo": "bar"},
                       "matchExpressions": [{"key": "x", "operator": "Exists"}]}},
    {"topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}]})");
  ASSERT_EQ(pod.spread.size(), 2U);
  EXPECT_EQ(pod.spread[0], (SpreadConstraint{"zone",
                                             2,
                                             3,
                                             true,
                                             {{{"foo", Requirement::Operator::kIn, {"bar"}},
                                               {"x", Requirement::Operator::kExists, {}}}}}));
  EXPECT_FALSE(pod.spread[1].required);
}

}  // namespace
}  // namespace prewarm::controller::demand
