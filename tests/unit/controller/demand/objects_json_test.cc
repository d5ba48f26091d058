// Kubernetes' JSON to values.
#include "controller/demand/objects_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rfc3339.h"
#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

WallTime Time(std::string_view text) { return ParseRfc3339(text).value(); }

template <class T>
T Value(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return std::move(result).value();
}

TEST(NodeJson, KeepsWhatDecides) {
  const auto node = Value(NodeFromJson(Json(R"({
    "metadata": {"name": "gke-a-1", "uid": "u1", "creationTimestamp": "2026-11-23T10:00:00Z",
                 "labels": {"cloud.google.com/gke-nodepool": "l4"}, "annotations": {"x": "y"}},
    "spec": {"providerID": "gce://x", "unschedulable": true,
             "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
                        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute",
                         "timeAdded": "2026-11-23T10:00:00Z"}]},
    "status": {"allocatable": {"cpu": "7910m", "memory": "29Gi", "pods": "110",
                               "nvidia.com/gpu": "2", "ephemeral-storage": "47093746742"},
               "conditions": [{"type": "Ready", "status": "False"},
                              {"type": "DiskPressure", "status": "True"}],
               "nodeInfo": {"bootID": "b1"}, "images": [{"names": ["big"]}]}})")));
  Node expected;
  expected.name = "gke-a-1";
  expected.uid = "u1";
  expected.boot_id = "b1";
  expected.labels = {{"cloud.google.com/gke-nodepool", "l4"}};
  expected.taints = {{"nvidia.com/gpu", "present", Taint::Effect::kNoSchedule},
                     {"node.kubernetes.io/not-ready", "", Taint::Effect::kNoExecute}};
  expected.unschedulable = true;
  expected.allocatable = Gpus(2);
  expected.allocatable.cpu_milli = 7910;
  expected.allocatable.memory = std::int64_t{29} << 30;
  expected.allocatable.pods = 110;
  expected.allocatable.ephemeral_storage = 47093746742;
  expected.ready = Truth::kFalse;
  expected.disk_pressure = true;
  expected.created_at = Time("2026-11-23T10:00:00Z");
  EXPECT_EQ(node, expected);
}

TEST(NodeJson, ReadsABareNode) {
  const auto node = Value(NodeFromJson(Json(R"({"metadata": {"name": "n"}, "spec": null})")));
  EXPECT_EQ(node.ready, Truth::kUnknown);
  EXPECT_FALSE(node.disk_pressure);
  EXPECT_THAT(node.taints, IsEmpty());
  EXPECT_FALSE(node.created_at);
}

TEST(NodeClaimJson, TellsWhatWillCome) {
  const auto claim = Value(NodeClaimFromJson(Json(R"({
    "metadata": {"name": "gpu-x7", "labels": {"karpenter.sh/nodepool": "gpu",
                 "karpenter.sh/capacity-type": "spot"},
                 "creationTimestamp": "2026-11-23T10:00:00Z"},
    "spec": {"requirements": [
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1a"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g6.x", "g6.2x"],
         "minValues": 1},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}],
      "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
      "startupTaints": [{"key": "cilium.io/agent-not-ready", "effect": "NoExecute"}]},
    "status": {"nodeName": "ip-1", "allocatable": {"nvidia.com/gpu": "1"},
      "conditions": [{"type": "Launched", "status": "True"},
                     {"type": "Registered", "status": "True"},
                     {"type": "Initialized", "status": "Unknown"}]}})")));
  EXPECT_EQ(claim.name, "gpu-x7");
  EXPECT_EQ(claim.pool, "gpu");
  EXPECT_EQ(claim.node, "ip-1");
  EXPECT_EQ(claim.labels, (Labels{{"karpenter.sh/nodepool", "gpu"},
                                  {"karpenter.sh/capacity-type", "spot"},
                                  {"topology.kubernetes.io/zone", "eu-1a"}}));
  EXPECT_EQ(claim.requirements.size(), 3U);
  EXPECT_EQ(claim.startup_taints[0].key, "cilium.io/agent-not-ready");
  EXPECT_TRUE(claim.launched && claim.registered && !claim.initialized);
  EXPECT_EQ(claim.allocatable, Gpus(1));
}

constexpr const char* kPod = R"({
  "metadata": {"namespace": "ml", "name": "chat-1", "uid": "p1",
    "labels": {"yatai.ai/bento-deployment": "chat", "pod-template-hash": "abc"},
    "creationTimestamp": "2026-11-23T10:00:00Z",
    "ownerReferences": [{"kind": "Other", "name": "o", "uid": "no"},
      {"kind": "ReplicaSet", "name": "chat-abc", "uid": "rs1", "controller": true}]},
  "spec": {"nodeName": "n1", "containers": [
      {"name": "proxy", "resources": {"requests": {"cpu": "1"}}},
      {"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]},
  "status": {"phase": "Running",
    "conditions": [{"type": "PodScheduled", "status": "True",
                    "lastTransitionTime": "2026-11-23T10:00:03Z"}],
    "containerStatuses": [
      {"name": "main", "state": {"running": {"startedAt": "2026-11-23T10:02:00Z"}}},
      {"name": "proxy", "state": {"running": {"startedAt": "2026-11-23T10:00:09Z"}}}]}})";

TEST(PodJson, KeepsWhatDecides) {
  const auto pod = Value(PodFromJson(Json(kPod)));
  EXPECT_EQ(pod.name_space, "ml");
  EXPECT_EQ(pod.name, "chat-1");
  EXPECT_EQ(pod.uid, "p1");
  EXPECT_EQ(pod.owner_uid, "rs1");
  EXPECT_EQ(pod.node, "n1");
  EXPECT_EQ(pod.phase, PodPhase::kRunning);
  EXPECT_EQ(pod.requests.cpu_milli, 1000);
  EXPECT_EQ(pod.requests.Extended(kGpuResource), 1);
  EXPECT_EQ(pod.created_at, Time("2026-11-23T10:00:00Z"));
  EXPECT_EQ(pod.bound_at, Time("2026-11-23T10:00:03Z"));
  EXPECT_EQ(pod.started_at, Time("2026-11-23T10:02:00Z")) << "of main, not of the proxy";
  EXPECT_TRUE(pod.Occupies());
}

TEST(PodJson, TellsWhyAPodHasNoNode) {
  const auto with = [](const char* condition) {
    return Value(PodFromJson(Json(std::string(R"({"metadata": {"name": "p"}, "status":
      {"conditions": [{"type": "PodScheduled", "status": "False", "reason": ")") +
                                  condition + R"("}]}})")));
  };
  EXPECT_TRUE(with("Unschedulable").unschedulable);
  EXPECT_FALSE(with("Unschedulable").gated);
  EXPECT_TRUE(with("SchedulingGated").gated);
  EXPECT_FALSE(with("SchedulerError").unschedulable);
  EXPECT_FALSE(with("Unschedulable").Occupies());
}

TEST(PodJson, TakesTheFirstContainerWhereNoneIsCalledMain) {
  const auto pod = Value(PodFromJson(Json(R"({"metadata": {"name": "p"},
    "spec": {"containers": [{"name": "kserve-container"}, {"name": "queue-proxy"}]},
    "status": {"phase": "Failed", "containerStatuses": [
      {"name": "queue-proxy", "state": {"running": {"startedAt": "2026-11-23T10:00:00Z"}}},
      {"name": "kserve-container", "state": {"waiting": {"reason": "ContainerCreating"}}}]}})")));
  EXPECT_FALSE(pod.started_at);
  EXPECT_TRUE(pod.Ended());
}

TEST(PodJson, StaysSmall) { EXPECT_LE(sizeof(Pod), 400U); }

TEST(HpaJson, SetsEachMetricBesideItsTarget) {
  const auto hpa = Value(HpaFromJson(Json(R"({
    "metadata": {"namespace": "ml", "name": "chat"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
      "minReplicas": 1, "maxReplicas": 8, "metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization",
          "averageUtilization": 80}}},
        {"type": "Pods", "pods": {"metric": {"name": "http_request"}, "target":
          {"type": "AverageValue", "averageValue": "20"}}},
        {"type": "External", "external": {"metric": {"name": "queue", "selector":
          {"matchLabels": {"q": "a"}}}, "target": {"type": "Value", "value": "30"}}},
        {"type": "External", "external": {"metric": {"name": "queue", "selector":
          {"matchLabels": {"q": "b"}}}, "target": {"type": "Value", "value": "40"}}},
        {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "main",
          "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
        {"type": "Object", "object": {"metric": {"name": "rps"}, "describedObject":
          {"kind": "Ingress", "name": "i"}, "target": {"type": "Value", "value": "2k"}}},
        {"type": "Later", "later": 3}]},
    "status": {"currentReplicas": 2, "desiredReplicas": 3,
      "lastScaleTime": "2026-11-23T10:00:00Z", "currentMetrics": [
        {"type": "External", "external": {"metric": {"name": "queue", "selector":
          {"matchLabels": {"q": "b"}}}, "current": {"value": "10"}}},
        {"type": "Pods", "pods": {"metric": {"name": "http_request"}, "current":
          {"averageValue": "19500m"}}},
        {"type": ""},
        {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "main",
          "current": {"averageValue": "512Mi", "averageUtilization": 7}}},
        {"type": "Object", "object": {"metric": {"name": "rps"}, "describedObject":
          {"kind": "Ingress", "name": "i"}, "current": {"value": "1k"}}},
        {"type": "Resource", "resource": {"name": "cpu", "current":
          {"averageUtilization": 76, "averageValue": "760m"}}}]}})")));
  EXPECT_EQ(hpa.target_name, "chat");
  EXPECT_EQ(hpa.min_replicas, 1);
  EXPECT_EQ(hpa.max_replicas, 8);
  EXPECT_EQ(hpa.current_replicas, 2);
  EXPECT_EQ(hpa.desired_replicas, 3);
  EXPECT_EQ(hpa.scaled_at, Time("2026-11-23T10:00:00Z"));
  EXPECT_THAT(hpa.metrics,
              ElementsAre(HpaMetric{"queue", 10, 40}, HpaMetric{"http_request", 19.5, 20},
                          HpaMetric{"memory", 512.0 * 1024 * 1024, 1024.0 * 1024 * 1024},
                          HpaMetric{"rps", 1000, 2000}, HpaMetric{"cpu", 76, 80}));
}

TEST(DeploymentJson, HasOneReplicaWhereItSaysNothing) {
  const auto deployment = Value(DeploymentFromJson(Json(R"({
    "metadata": {"namespace": "ml", "name": "chat", "uid": "d1", "generation": 4,
      "ownerReferences": [{"kind": "BentoDeployment", "name": "chat", "uid": "b1",
                           "controller": true}]},
    "spec": {"selector": {"matchLabels": {"yatai.ai/selector": "chat"}}},
    "status": {"observedGeneration": 3, "readyReplicas": 1}})")));
  EXPECT_EQ(deployment.replicas, 1);
  EXPECT_EQ(deployment.ready_replicas, 1);
  EXPECT_EQ(deployment.owner, (Owner{"BentoDeployment", "chat", "b1"}));
  EXPECT_EQ(deployment.generation, 4);
  EXPECT_EQ(deployment.observed_generation, 3);
  EXPECT_TRUE(deployment.selector.Matches({{"yatai.ai/selector", "chat"}}));
}

TEST(ReplicaSetJson, NamesItsVersion) {
  const auto set = Value(ReplicaSetFromJson(Json(R"({
    "metadata": {"namespace": "ml", "name": "chat-abc", "uid": "rs1",
      "labels": {"pod-template-hash": "abc"},
      "annotations": {"deployment.kubernetes.io/revision": "12"},
      "ownerReferences": [{"kind": "Deployment", "uid": "d1", "controller": true}]},
    "spec": {"replicas": 0, "template": {"metadata": {"labels":
      {"yatai.ai/bento-version": "v1"}}}},
    "status": {"replicas": 2}})")));
  EXPECT_EQ(set.owner_uid, "d1");
  EXPECT_EQ(set.template_hash, "abc");
  EXPECT_EQ(set.revision, 12);
  EXPECT_TRUE(set.labels.Has("yatai.ai/bento-version", "v1"));
  EXPECT_FALSE(set.Empty()) << "two still stop";
}

TEST(ScaleUpJson, NamesThePodAndTheGroups) {
  const auto old_event = Value(ScaleUpFromJson(Json(R"({"reason": "TriggeredScaleUp",
    "involvedObject": {"kind": "Pod", "namespace": "ml", "name": "chat-2", "uid": "p2"},
    "message": "pod triggered scale-up: [{https://www.googleapis.com/compute/v1/projects/p/zones/z/instanceGroups/gke-l4-grp 0->2 (max: 3)} {other 1->2 (max: 3)} {bad}]",
    "lastTimestamp": "2026-11-23T10:00:00Z", "eventTime": null})")));
  ASSERT_TRUE(old_event);
  EXPECT_EQ(old_event->pod_uid, "p2");
  EXPECT_THAT(old_event->groups,
              ElementsAre(ScaleUp::Group{"gke-l4-grp", 0, 2}, ScaleUp::Group{"other", 1, 2}));
  EXPECT_EQ(old_event->at, Time("2026-11-23T10:00:00Z"));
  const auto new_event = Value(ScaleUpFromJson(Json(R"({"reason": "TriggeredScaleUp",
    "regarding": {"kind": "Pod", "namespace": "ml", "name": "chat-2", "uid": "p2"},
    "note": "something else", "eventTime": "2026-11-23T10:00:00.000001Z"})")));
  ASSERT_TRUE(new_event);
  EXPECT_THAT(new_event->groups, IsEmpty());
  EXPECT_TRUE(new_event->at);
  EXPECT_FALSE(Value(ScaleUpFromJson(Json(R"({"reason": "Scheduled"})"))));
}

TEST(ObjectsJson, RefuseAWrongTypeWithTheObjectAndThePath) {
  const auto message = [](const auto& result) {
    EXPECT_FALSE(result);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message(PodFromJson(Json(R"({"metadata": {"namespace": "a", "name": "b"},
      "spec": {"containers": [{"resources": 3}]}})"))),
            "pod a/b: spec.containers[0].resources is a number, not an object");
  EXPECT_EQ(message(NodeFromJson(Json(R"({"metadata": {"name": "n"},
      "spec": {"taints": [{"key": "x", "effect": "NoSchedule"}, {"key": 4, "effect":
      "NoSchedule"}]}})"))),
            "node n: spec.taints[1].key is a number, not a text");
  EXPECT_EQ(message(NodeFromJson(Json(R"({"metadata": 7})"))),
            "node : metadata is a number, not an object");
  EXPECT_EQ(message(NodeFromJson(Json("{}"))), "node : metadata.name is missing");
  EXPECT_EQ(message(HpaFromJson(Json(R"({"metadata": {"name": "h"},
      "spec": {"maxReplicas": -1}})"))),
            "horizontalpodautoscaler h: spec.maxReplicas is -1, not a count");
  EXPECT_EQ(message(DeploymentFromJson(Json(R"({"metadata": {"namespace": "a", "name": "d"},
      "spec": {"replicas": 1e99}})"))),
            "deployment a/d: spec.replicas is a number, not a whole number within 64 bits");
}

}  // namespace
}  // namespace prewarm::controller::demand
