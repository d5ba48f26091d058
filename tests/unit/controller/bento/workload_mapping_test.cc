#include "controller/bento/workload_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/bento/fixtures.h"

namespace prewarm::controller::bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

Workload ABentoDeployment() {
  return *ReadWorkload(BentoDeploymentMapping(), Json(kBentoDeploymentJson));
}

TEST(BentoDeployment, BecomesAWorkload) {
  const auto workload = ABentoDeployment();
  EXPECT_EQ(workload.ref.Words(), "BentoDeployment yatai/chat-llama3");
  EXPECT_EQ(workload.ref.uid, "6f0e7f6e-6b0a-4f55-9f5f-0d3f6f0c1a11");
  EXPECT_EQ(workload.bento, "llama-chat--k6v2x7m4kq3aq");
  EXPECT_THAT(workload.labels, ElementsAre(Pair("app", "chat")));
  EXPECT_THAT(workload.annotations,
              ElementsAre(Pair("yatai.ai/deployment-strategy", "RampedSlowRollout")));
  ASSERT_THAT(workload.components, SizeIs(1));
  const auto& component = workload.components.front();
  EXPECT_EQ(component.name, "api-server");
  EXPECT_EQ(component.min_replicas, 1);
  EXPECT_EQ(component.max_replicas, 8);
  EXPECT_EQ(component.gpus, 1U);
  EXPECT_THAT(component.envs, ElementsAre(Pair("BENTOML_MODEL_PREHEAT", "1")));
  EXPECT_EQ(component.pod_labels.at("yatai.ai/bento-deployment"), "chat-llama3");
  EXPECT_TRUE(workload.problems.empty());
}

TEST(BentoDeployment, GivesTheSchedulingPartAsAPodSpec) {
  const auto workload = ABentoDeployment();
  EXPECT_EQ(workload.components.front().scheduling, Json(R"({
    "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4",
                     "cloud.google.com/gke-ephemeral-storage-local-ssd": "true"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "containers": [
      {"name": "main", "resources": {
        "requests": {"cpu": "6", "memory": "48Gi", "nvidia.com/gpu": "1"},
        "limits": {"cpu": "12", "memory": "64Gi", "nvidia.com/gpu": "1"}}},
      {"name": "sidecar", "resources": {"requests": {"cpu": "100m"}, "limits": {}}}]})"));
}

TEST(BentoDeployment, TakesCustomLimitsAndIgnoresARequestOfGpus) {
  auto object = Json(kBentoDeploymentJson);
  object["spec"].as_object()["resources"] = json::parse(
      R"({"requests": {"gpu": "4"}, "limits": {"custom": {"nvidia.com/mig-1g.5gb": "2",
          "amd.com/gpu": 3}}})");
  const auto workload = *ReadWorkload(BentoDeploymentMapping(), object);
  EXPECT_EQ(workload.components.front().gpus, 5U);
  const auto& container = workload.components.front().scheduling.at("containers").at(0);
  EXPECT_EQ(container.at("resources").at("requests"),
            json::parse(R"({"nvidia.com/mig-1g.5gb": "2", "amd.com/gpu": 3})"));
}

TEST(BentoDeployment, WithoutAutoscalingHasOneReplica) {
  auto object = Json(kBentoDeploymentJson);
  object["spec"].as_object().erase("autoscaling");
  const auto workload = *ReadWorkload(BentoDeploymentMapping(), object);
  EXPECT_EQ(workload.components.front().min_replicas, 1);
  EXPECT_EQ(workload.components.front().max_replicas, 1);
}

TEST(BentoDeployment, GivesARunnerNothingFromTheTop) {
  auto object = Json(kBentoDeploymentJson);
  object["spec"].as_object()["runners"] = json::parse(
      R"([{"name": "embed", "resources": {"limits": {"gpu": "2"}},
           "autoscaling": {"minReplicas": 2, "maxReplicas": 4}},
          {"name": "rank", "extraPodSpec": {"nodeSelector": {"pool": "cpu"}}}])");
  const auto workload = *ReadWorkload(BentoDeploymentMapping(), object);
  ASSERT_THAT(workload.components, SizeIs(3));
  const auto& embed = workload.components[1];
  EXPECT_EQ(embed.name, "embed");
  EXPECT_EQ(embed.gpus, 2U);
  EXPECT_EQ(embed.max_replicas, 4);
  EXPECT_FALSE(embed.scheduling.contains("nodeSelector")) << "replaced, although absent";
  EXPECT_EQ(embed.pod_labels.at("yatai.ai/bento-deployment-component-name"), "embed");
  EXPECT_EQ(embed.pod_labels.at("yatai.ai/bento-deployment-component-type"), "runner");
  const auto& rank = workload.components[2];
  EXPECT_EQ(rank.gpus, 0U);
  EXPECT_EQ(rank.scheduling, Json(R"({"nodeSelector": {"pool": "cpu"}})"));
}

TEST(BentoDeployment, RunsRunnersThatItDoesNotMentionAsItsTop) {
  auto object = Json(kBentoDeploymentJson);
  object["spec"].as_object()["runners"] = json::parse(R"([{"name": "embed"}])");
  const auto workload =
      WithRunners(*ReadWorkload(BentoDeploymentMapping(), object), {"embed", "rank"});
  ASSERT_THAT(workload.components, SizeIs(3));
  EXPECT_EQ(workload.components[1].gpus, 0U);
  const auto& rank = workload.components[2];
  EXPECT_EQ(rank.name, "rank");
  EXPECT_EQ(rank.gpus, 1U);
  EXPECT_TRUE(rank.scheduling.contains("nodeSelector"));
  EXPECT_EQ(rank.pod_labels.at("yatai.ai/bento-deployment-component-name"), "rank");
}

TEST(BentoDeployment, NamesWhatIsWrongWithIt) {
  auto object = Json(kBentoDeploymentJson);
  auto& spec = object["spec"].as_object();
  spec["bento"] = json::array();
  spec["autoscaling"] = json::parse(R"({"minReplicas": -1, "maxReplicas": "many"})");
  spec["runners"] = "none";
  spec["extraPodSpec"] = json::parse(R"({"nodeSelector": "x", "containers": {"a": 1}})");
  const auto workload = *ReadWorkload(BentoDeploymentMapping(), object);
  EXPECT_THAT(workload.bento, IsEmpty());
  EXPECT_THAT(
      workload.problems.lines(),
      testing::UnorderedElementsAre(
          HasSubstr("spec.autoscaling.minReplicas must be a whole number"),
          HasSubstr("spec.autoscaling.maxReplicas must be a whole number"),
          "spec.extraPodSpec.containers must be a list, not an object",
          "spec.extraPodSpec.containers must be a list, not an object",
          "spec.runners must be a list, not a text", "spec.bento must be a text, not a list"));
}

TEST(BentoDeployment, CutsASchedulingPartThatIsTooLarge) {
  auto object = Json(kBentoDeploymentJson);
  auto& pod = object["spec"].as_object()["extraPodSpec"].as_object();
  json::array tolerations;
  for (int i = 0; i < 20'000; ++i) tolerations.push_back({{"key", "k"}});
  pod["tolerations"] = tolerations;
  json::value deep = 1;
  for (int i = 0; i < 200; ++i) deep = json::array{deep};
  pod["affinity"] = json::object{{"a", deep}};
  const auto workload = *ReadWorkload(BentoDeploymentMapping(), object);
  const auto& scheduling = workload.components.front().scheduling;
  EXPECT_FALSE(scheduling.contains("tolerations"));
  EXPECT_FALSE(scheduling.contains("affinity"));
  EXPECT_TRUE(scheduling.contains("nodeSelector"));
  EXPECT_THAT(workload.problems.lines(),
              ElementsAre(HasSubstr("spec.extraPodSpec.affinity is larger"),
                          HasSubstr("spec.extraPodSpec.tolerations is larger")));
}

TEST(Deployment, IsOfInterestOnlyWithAnAnnotationOfOurs) {
  EXPECT_FALSE(ReadWorkload(DeploymentMapping(), ADeployment({{"other.dev/models", "x"}})));
  const auto workload =
      ReadWorkload(DeploymentMapping(), ADeployment({{kModelsAnnotation, "models:a"}}));
  ASSERT_TRUE(workload);
  EXPECT_EQ(workload->annotations.at(kModelsAnnotation), "models:a");
  ASSERT_THAT(workload->components, SizeIs(1));
  const auto& component = workload->components.front();
  EXPECT_EQ(component.min_replicas, 3);
  EXPECT_EQ(component.max_replicas, 3);
  EXPECT_EQ(component.gpus, 2U);
  EXPECT_THAT(component.pod_labels, ElementsAre(Pair("app", "vllm")));
  EXPECT_THAT(component.volumes,
              ElementsAre(PodVolume{.name = "weights", .claim = "weights", .inline_driver = {}}));
  EXPECT_THAT(component.mounts, ElementsAre(VolumeMount{.volume = "weights",
                                                        .mount_path = "/models",
                                                        .sub_path = "llama",
                                                        .sub_path_varies = false}));
}

TEST(Deployment, OfABentoDeploymentIsSpokenForByIt) {
  auto object = ADeployment({{kModelsAnnotation, "models:a"}});
  object["metadata"].as_object()["ownerReferences"] =
      json::parse(R"([{"kind": "BentoDeployment", "name": "chat", "uid": "u"}])");
  EXPECT_FALSE(ReadWorkload(DeploymentMapping(), object));
  object["metadata"].as_object()["ownerReferences"] =
      json::parse(R"([{"kind": "LLMService", "name": "chat", "uid": "u"}])");
  EXPECT_TRUE(ReadWorkload(DeploymentMapping(), object));
}

TEST(Workload, AddsUpTheModelsThatItsAnnotationsName) {
  auto object = ADeployment({{kModelsAnnotation, "models:b"}, {kSkipAnnotation, "true"}});
  object["metadata"].as_object()["annotations"] =
      json::parse(R"({"prewarm.dev/models": "models:a", "prewarm.dev/skip": "false"})");
  const auto workload = ReadWorkload(DeploymentMapping(), object);
  ASSERT_TRUE(workload);
  EXPECT_EQ(workload->annotations.at(kModelsAnnotation), "models:a,models:b");
  EXPECT_EQ(workload->annotations.at(kSkipAnnotation), "false") << "its own goes first";
}

TEST(InferenceService, MountsTheClaimOfItsStorageUri) {
  const auto workload = ReadWorkload(InferenceServiceMapping(), Json(R"({
    "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
    "metadata": {"name": "llama", "namespace": "yatai", "uid": "i"},
    "spec": {"predictor": {"minReplicas": 2, "maxReplicas": 5,
      "nodeSelector": {"gpu": "l4"},
      "model": {"modelFormat": {"name": "huggingface"}, "storageUri": "pvc://weights/llama/v3",
                "resources": {"limits": {"nvidia.com/gpu": "1"}}}}}})"));
  ASSERT_TRUE(workload);
  const auto& component = workload->components.front();
  EXPECT_EQ(component.min_replicas, 2);
  EXPECT_EQ(component.max_replicas, 5);
  EXPECT_EQ(component.gpus, 1U);
  ASSERT_THAT(component.mounts, SizeIs(1));
  EXPECT_EQ(component.volumes.front().claim, "weights");
  EXPECT_EQ(component.mounts.front().sub_path, "llama/v3");
  EXPECT_EQ(component.pod_labels.at("serving.kserve.io/inferenceservice"), "llama");
}

TEST(InferenceService, OfAnotherStoreHasNoVolumes) {
  const auto workload = ReadWorkload(InferenceServiceMapping(), Json(R"({
    "metadata": {"name": "llama", "namespace": "yatai"},
    "spec": {"predictor": {"sklearn": {"storageUri": "s3://bucket/x"}}}})"));
  ASSERT_TRUE(workload);
  EXPECT_THAT(workload->components.front().volumes, IsEmpty());
  EXPECT_EQ(workload->ref.api_version, "serving.kserve.io/v1beta1");
  EXPECT_EQ(workload->ref.kind, "InferenceService");
}

TEST(WorkloadMapping, ReadsAKindThatOnlyConfigurationKnows) {
  WorkloadMapping mapping;
  mapping.group = "cloud.example.com";
  mapping.version = "v1";
  mapping.kind = "BentoFunction";
  mapping.bento = *JsonPath::Parse("metadata.labels['example.com/bento']");
  ComponentMapping service;
  service.list = *JsonPath::Parse("spec.services");
  service.item_name = *JsonPath::Parse("id");
  service.pod_spec = *JsonPath::Parse("pods[0].spec");
  service.min_replicas = *JsonPath::Parse("scaling.min");
  mapping.components = {service};
  const auto workload = ReadWorkload(mapping, Json(R"({
    "metadata": {"name": "f", "namespace": "n", "labels": {"example.com/bento": "b--1"}},
    "spec": {"services": [{"id": "chat", "scaling": {"min": 0},
      "pods": [{"spec": {"nodeSelector": {"a": "b"}}}]}, {"scaling": {"min": "x"}}]}})"));
  ASSERT_TRUE(workload);
  EXPECT_EQ(workload->bento, "b--1");
  ASSERT_THAT(workload->components, SizeIs(2));
  EXPECT_EQ(workload->components[0].name, "chat");
  EXPECT_EQ(workload->components[0].min_replicas, 0);
  EXPECT_EQ(workload->components[0].scheduling, Json(R"({"nodeSelector": {"a": "b"}})"));
  EXPECT_EQ(workload->components[1].name, "main");
  EXPECT_THAT(workload->problems.lines(),
              ElementsAre(HasSubstr("spec.services[1].scaling.min must be a whole number")));
}

TEST(JsonPath, NamesAMemberWhereverItLies) {
  const auto document = Json(R"({"a": {"b.c/d": [{"e": 1}, {"e": 2}], "n": null}})");
  const auto path = JsonPath::Parse("a['b.c/d'][1].e");
  ASSERT_TRUE(path);
  ASSERT_NE(path->Holder(document), nullptr);
  EXPECT_EQ(path->Holder(document)->at(path->member()), 2);
  for (const auto* nowhere : {"a.x.y", "a['b.c/d'][2].e", "a['b.c/d'].e", "a.n.e", "x[0].y"}) {
    EXPECT_EQ(JsonPath::Parse(nowhere)->Holder(document), nullptr) << nowhere;
  }
}

TEST(JsonPath, SaysWhereItStopsMakingSense) {
  for (const auto* text : {"", ".", "a.", "a..b", "a[", "a[x]", "a['b", "a['b'", "a[1]", "[0].a",
                           "a[-1].b", "a['']", "a[99999999999999999999].b", "a]b["}) {
    const auto path = JsonPath::Parse(text);
    ASSERT_FALSE(path) << text;
    EXPECT_THAT(path.error().message, HasSubstr("at character")) << text;
  }
}

}  // namespace
}  // namespace prewarm::controller::bento
