// Objects that are wrong in ways that nobody foresaw: read or refused, never worse, and soon.
#include <gtest/gtest.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <functional>
#include <random>

#include "controller/demand/constraints_json.h"
#include "controller/demand/objects_json.h"
#include "controller/demand/policy_json.h"
#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;
using Engine = std::mt19937_64;

constexpr const char* kObject = R"({
  "reason": "TriggeredScaleUp", "message": "pod triggered scale-up: [{g 0->1 (max: 3)}]",
  "involvedObject": {"kind": "Pod", "namespace": "a", "name": "b", "uid": "c"},
  "metadata": {"namespace": "ml", "name": "x", "uid": "u", "generation": 3,
    "creationTimestamp": "2026-11-23T10:00:00Z", "deletionTimestamp": null,
    "labels": {"a": "b", "karpenter.sh/nodepool": "p"},
    "annotations": {"deployment.kubernetes.io/revision": "2"},
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "o", "controller": true}]},
  "spec": {"nodeName": "n", "replicas": 3, "minReplicas": 1, "maxReplicas": 9, "priority": 10,
    "scaleTargetRef": {"kind": "Deployment", "name": "d"}, "unschedulable": false,
    "selector": {"matchLabels": {"a": "b"},
                 "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]},
    "template": {"metadata": {"labels": {"a": "b"}}},
    "taints": [{"key": "t", "value": "v", "effect": "NoSchedule"}],
    "startupTaints": [{"key": "t", "effect": "NoExecute"}],
    "requirements": [{"key": "z", "operator": "Gt", "values": ["3"]}],
    "containers": [{"name": "main", "resources": {"requests": {"cpu": "500m", "memory": 12},
                    "limits": {"nvidia.com/gpu": "1"}}}],
    "initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": 1.5}}}],
    "overhead": {"cpu": "1e-3"}, "nodeSelector": {"pool": "l4"},
    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {
      "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "k", "operator": "NotIn", "values": ["v"]}],
         "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]},
      "preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 5, "preference": {"matchExpressions": [{"key": "k", "operator": "Exists"}]}}]}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "minDomains": 2,
      "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a": "b"}}}],
    "metrics": [{"type": "Pods", "pods": {"metric": {"name": "m"}, "target":
      {"type": "AverageValue", "averageValue": "20"}}}],
    "triggers": {"onSeeded": true, "onForecast": {"ratio": "0.9", "extraReplicas": 2}},
    "target": {"nodeSelector": {"a": "b"}, "maxNodes": 4},
    "keepWarm": {"minNodes": 2, "afterScaleDown": "1h"}, "gate": {"mode": "None", "timeout": "5m"},
    "files": {"include": ["*.safetensors"], "exclude": ["*.bin"]}},
  "status": {"phase": "Running", "replicas": 3, "readyReplicas": 1, "nodeName": "n",
    "allocatable": {"cpu": "8", "nvidia.com/gpu": "1"}, "nodeInfo": {"bootID": "b"},
    "conditions": [{"type": "PodScheduled", "status": "True",
                    "lastTransitionTime": "2026-11-23T10:00:00Z"},
                   {"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "main", "state":
      {"running": {"startedAt": "2026-11-23T10:00:00Z"}}}],
    "currentMetrics": [{"type": "Pods", "pods": {"metric": {"name": "m"}, "current":
      {"averageValue": "19"}}}]}})";

// Every value in the tree.
void Collect(json::value& value, std::vector<json::value*>& all) {
  all.push_back(&value);
  if (auto* object = value.if_object()) {
    for (auto& entry : *object) Collect(entry.value(), all);
  } else if (auto* array = value.if_array()) {
    for (auto& entry : *array) Collect(entry, all);
  }
}

json::value Nested(int depth) {
  json::value value = 1;
  for (int i = 0; i < depth; ++i) value = json::array{std::move(value)};
  return value;
}

json::value AnyValue(Engine& random) {
  switch (random() % 14) {
    case 0: return nullptr;
    case 1: return true;
    case 2: return -1;
    case 3: return 9'223'372'036'854'775'807;
    case 4: return 1e308;
    case 5: return json::string("");
    case 6: return json::string(1 + random() % 4000, static_cast<char>(random() % 256));
    case 7: return json::string("../../etc");
    case 8: return json::array{};
    case 9: return json::object{};
    case 10: return json::array{nullptr, 1, json::object{{"key", 3}}, json::array{}};
    case 11: return json::object{{"", 3}, {"nvidia.com/gpu", "1Ei"}, {"cpu", "-9999999999999999"}};
    case 12: return Nested(30);
    default: return json::string("999999999999E");
  }
}

void Mutate(json::value& root, Engine& random) {
  for (auto left = 1 + random() % 3; left > 0; --left) {
    std::vector<json::value*> all;
    Collect(root, all);
    auto& victim = *all[1 + random() % (all.size() - 1)];
    auto* object = victim.if_object();
    if (object != nullptr && !object->empty() && random() % 3 == 0) {
      object->erase(object->begin() + static_cast<std::ptrdiff_t>(random() % object->size()));
    } else if (auto* array = victim.if_array(); array != nullptr && random() % 3 == 0) {
      array->push_back(AnyValue(random));
    } else {
      victim = AnyValue(random);
    }
  }
}

template <class T>
void MustSayWhatIsWrong(const Result<T>& result) {
  if (result) return;
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(result.error().message.empty());
  EXPECT_LT(result.error().message.size(), 2000U);
}

void ReadAsEverything(const json::object& object) {
  MustSayWhatIsWrong(NodeFromJson(object));
  MustSayWhatIsWrong(NodeClaimFromJson(object));
  MustSayWhatIsWrong(PodFromJson(object));
  MustSayWhatIsWrong(HpaFromJson(object));
  MustSayWhatIsWrong(DeploymentFromJson(object));
  MustSayWhatIsWrong(ReplicaSetFromJson(object));
  MustSayWhatIsWrong(ScaleUpFromJson(object));
  MustSayWhatIsWrong(PolicyFromJson(object));
  if (const auto* spec = object.if_contains("spec"); spec != nullptr && spec->is_object()) {
    MustSayWhatIsWrong(ConstraintsFromJson(spec->get_object()));
  }
}

TEST(HostileObjects, TheOneThatTheyAreMadeFromIsReadAsEverything) {
  const auto object = Json(kObject);
  EXPECT_TRUE(NodeFromJson(object));
  EXPECT_TRUE(NodeClaimFromJson(object));
  EXPECT_TRUE(PodFromJson(object));
  EXPECT_TRUE(HpaFromJson(object));
  EXPECT_TRUE(DeploymentFromJson(object));
  EXPECT_TRUE(ReplicaSetFromJson(object));
  EXPECT_TRUE(ScaleUpFromJson(object).value().has_value());
  EXPECT_TRUE(PolicyFromJson(object)) << PolicyFromJson(object).error().message;
  EXPECT_TRUE(ConstraintsFromJson(object.at("spec").as_object()));
}

TEST(HostileObjects, AreReadOrRefusedTenThousandTimes) {
  const json::value whole = Json(kObject);
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Engine random(seed);
    json::value mutated = whole;
    Mutate(mutated, random);
    if (mutated.is_object()) ReadAsEverything(mutated.get_object());
  }
}

TEST(HostileObjects, AreRefusedForTheirSize) {
  auto object = Json(kObject);
  auto& taints = object.at("spec").at("taints").as_array();
  taints.resize(10'001, taints[0]);
  const auto node = NodeFromJson(object);
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().message, "node ml/x: spec.taints has 10001 entries, more than 10000");

  auto labelled = Json(kObject);
  auto& labels = labelled.at("metadata").at("labels").as_object();
  for (int i = 0; i < 10'001; ++i) labels["k" + std::to_string(i)] = "v";
  EXPECT_FALSE(PodFromJson(labelled));
}

TEST(HostileObjects, OfAMebibyteAndAHalfAreReadInTime) {
  auto object = Json(kObject);
  auto& requests =
      object.at("spec").at("containers").at(0).at("resources").at("requests").as_object();
  for (int i = 0; i < 9'000; ++i) {
    requests["example.com/" + std::to_string(i * 7919 % 9000) + std::string(160, 'x')] = "1";
  }
  ASSERT_GT(json::serialize(object).size(), std::size_t{3} << 19);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(PodFromJson(object));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

}  // namespace
}  // namespace prewarm::controller::demand
