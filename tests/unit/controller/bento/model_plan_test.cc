// From the objects of a cluster to what is warmed for a workload, and why the rest is not.
#include "controller/bento/model_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/bento/fixtures.h"

namespace prewarm::controller::bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Workload ABentoDeployment() {
  return *ReadWorkload(BentoDeploymentMapping(), Json(kBentoDeploymentJson));
}

Workload AnAnnotatedWorkload(const std::string& models) {
  auto object = ADeployment({{kModelsAnnotation, models}});
  auto& pod = object["spec"].at("template").at("spec").as_object();
  pod.erase("volumes");
  return *ReadWorkload(DeploymentMapping(), object);
}

struct Setting {
  MapCatalog catalog = ACatalog();
  std::vector<KnownVolume> volumes{AVolume()};
  BuilderLayout layout;

  [[nodiscard]] Sources Find(const Workload& workload) const {
    return FindSources(workload, catalog, KnownVolumes(volumes), layout);
  }
};

BentoRequest ARequest(const json::object& object = Json(kBentoRequestJson)) {
  return *ReadBentoRequest(object);
}

// One model and no storage namespace: what a single tenant has.
json::object ASimpleRequest() {
  auto object = Json(kBentoRequestJson);
  object["metadata"].at("annotations").as_object().erase("yatai.ai/model-storage-namepsace");
  auto& models = object["spec"].at("models").as_array();
  models.erase(models.begin());
  return object;
}

std::vector<std::string> Paths(const Sources& sources) {
  std::vector<std::string> paths;
  for (const auto& source : sources.models) {
    for (const auto& candidate : source.candidates) paths.push_back(candidate.path);
  }
  return paths;
}

std::vector<std::string> Obstacles(const Sources& sources) {
  std::vector<std::string> names;
  names.reserve(sources.unresolved.size());
  for (const auto& each : sources.unresolved) names.emplace_back(ObstacleName(each.obstacle));
  return names;
}

TEST(BentoSources, OfOneTenantLieInTheSharedDirectory) {
  Setting setting;
  setting.layout.multi_tenant = false;
  setting.catalog.Put(ARequest(ASimpleRequest()));
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_EQ(sources.generation.generation, Generation::kG1);
  EXPECT_EQ(sources.bento, "llama_chat:k6v2x7m4kq3aq");
  EXPECT_FALSE(sources.bento_exists) << "it is still being built";
  ASSERT_THAT(sources.models, SizeIs(1));
  const auto& source = sources.models.front();
  EXPECT_EQ(source.tag, kItemTag);
  EXPECT_EQ(source.volume, "models");
  EXPECT_EQ(source.declared_bytes, std::uint64_t{1300} << 20);
  ASSERT_THAT(source.candidates, SizeIs(1));
  EXPECT_EQ(source.candidates.front().layout, Layout::kItem);
  EXPECT_EQ(source.candidates.front().path, "models/.shared/reranker/hx7q2d5m6cxa3");
  EXPECT_THAT(sources.unresolved, IsEmpty());
}

TEST(BentoSources, LieInTheDirectoryOfTheirStorageNamespace) {
  Setting setting;
  setting.catalog.Put(ARequest());
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_THAT(Paths(sources), ElementsAre(kHubDirectory, "models/org-42/reranker/hx7q2d5m6cxa3"));
  const auto& hub = sources.models.front().candidates.front();
  EXPECT_EQ(hub.layout, Layout::kHub);
  EXPECT_EQ(hub.version, "0d8c1f0e1d2c3b4a5968778695a4b3c2");
  EXPECT_EQ(hub.folder, "models--meta-llama--meta-llama-3-8b-instruct");
  EXPECT_EQ(hub.selection->revision, kCommit);
  EXPECT_TRUE(sources.models.front().declared_seeded);
}

TEST(BentoSources, OfAMultiTenantBuilderLieInTheirNamespacesDirectory) {
  Setting setting;
  setting.catalog.Put(ARequest(ASimpleRequest()));
  EXPECT_THAT(
      Paths(setting.Find(ABentoDeployment())),
      ElementsAre("models/.shared/reranker/hx7q2d5m6cxa3", "models/yatai/reranker/hx7q2d5m6cxa3"))
      << "before there is a Bento nothing tells which";
  auto bento = Json(kBentoJson);
  bento["spec"].as_object().erase("models");
  auto& annotations = bento["metadata"].at("annotations").as_object();
  annotations.erase("yatai.ai/model-storage-namepsace");
  setting.catalog.Put(*ReadBento(bento));
  EXPECT_THAT(Paths(setting.Find(ABentoDeployment())),
              ElementsAre("models/.shared/reranker/hx7q2d5m6cxa3"));
  annotations["yatai.ai/is-multi-tenancy"] = "true";
  setting.catalog.Put(*ReadBento(bento));
  EXPECT_THAT(Paths(setting.Find(ABentoDeployment())),
              ElementsAre("models/yatai/reranker/hx7q2d5m6cxa3"));
}

TEST(BentoSources, ComeFromTheBentoOnceItListsThem) {
  Setting setting;
  setting.catalog.Put(*ReadBento(Json(kBentoJson)));
  EXPECT_THAT(Paths(setting.Find(ABentoDeployment())), ElementsAre(kHubDirectory));
  EXPECT_TRUE(setting.Find(ABentoDeployment()).bento_exists);
  setting.catalog.Put(ARequest());
  EXPECT_THAT(Paths(setting.Find(ABentoDeployment())), ElementsAre(kHubDirectory))
      << "the Bento's list goes first";
}

TEST(BentoSources, CompleteARunnersTagFromTheRequest) {
  Setting setting;
  auto bento = Json(kBentoJson);
  bento["spec"].as_object().erase("models");
  bento["spec"].as_object()["runners"] =
      json::array{{{"name", "r"}, {"modelTags", json::array{kHubTag, kItemTag}}}};
  setting.catalog.Put(*ReadBento(bento));
  const auto alone = setting.Find(ABentoDeployment());
  ASSERT_THAT(alone.models, SizeIs(2));
  EXPECT_THAT(alone.runners, ElementsAre("r"));
  EXPECT_THAT(alone.models[0].candidates, SizeIs(2)) << "an item or a repository of the hub";
  EXPECT_EQ(alone.models[0].candidates[1].layout, Layout::kHub);
  EXPECT_FALSE(alone.models[0].candidates[1].selection);
  EXPECT_THAT(alone.models[1].candidates, SizeIs(1));
  setting.catalog.Put(ARequest());
  const auto both = setting.Find(ABentoDeployment());
  ASSERT_THAT(both.models[0].candidates, SizeIs(1));
  EXPECT_EQ(both.models[0].candidates[0].selection->revision, kCommit);
  EXPECT_EQ(both.models[0].declared_bytes, std::uint64_t{16} << 30);
}

TEST(BentoSources, IgnoreABentoThatARequestLeftBehind) {
  Setting setting;
  setting.catalog.Put(*ReadBento(Json(kBentoJson)));
  auto request = ASimpleRequest();
  request["metadata"].as_object()["uid"] = "made-anew";
  request["metadata"]
      .at("annotations")
      .as_object()
      .erase("yatai.ai/yatai-image-builder-separate-models");
  setting.catalog.Put(ARequest(request));
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_EQ(sources.generation.generation, Generation::kG0);
  EXPECT_THAT(sources.models, IsEmpty());
}

TEST(BentoSources, SayWhyAnImageThatCarriesItsModelsNeedsNothing) {
  Setting setting;
  auto bento = Json(kBentoJson);
  bento["metadata"].as_object().erase("annotations");
  bento["spec"].as_object()["image"] = "r/b:yatai.llama_chat.k6v2x7m4kq3aq";
  setting.catalog.Put(*ReadBento(bento));
  auto sources = setting.Find(ABentoDeployment());
  EXPECT_EQ(sources.generation.generation, Generation::kG0);
  EXPECT_THAT(sources.models, IsEmpty());
  EXPECT_THAT(sources.unresolved, IsEmpty());
  ASSERT_THAT(sources.notes, SizeIs(1));
  EXPECT_EQ(sources.notes[0].reason, "ModelsInImage");
  EXPECT_THAT(sources.notes[0].words, HasSubstr("because the image carries its models (G0: "));
  bento["spec"].as_object()["image"] = "r/b:yatai.llama_chat.k6v2x7m4kq3aq.s3";
  setting.catalog.Put(*ReadBento(bento));
  sources = setting.Find(ABentoDeployment());
  ASSERT_THAT(sources.notes, SizeIs(1));
  EXPECT_EQ(sources.notes[0].reason, "ImageInS3");
  EXPECT_THAT(sources.notes[0].words, HasSubstr("(G2: "));
}

TEST(BentoSources, AskForALookWhereTheGenerationCannotBeTold) {
  Setting setting;
  auto request = ASimpleRequest();
  request["metadata"].as_object().erase("annotations");
  request["spec"].as_object()["image"] = "own/image:v1";
  setting.catalog.Put(ARequest(request));
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_THAT(Obstacles(sources), ElementsAre("GenerationUnknown"));
  EXPECT_THAT(sources.models, IsEmpty());
}

TEST(BentoSources, WithoutBentoAndRequestAreNamed) {
  const auto sources = Setting().Find(ABentoDeployment());
  EXPECT_THAT(Obstacles(sources), ElementsAre("BentoNotFound"));
  EXPECT_EQ(sources.generation.generation, Generation::kNone);
}

TEST(BentoSources, SayThatABentoListsNoModels) {
  Setting setting;
  auto request = ASimpleRequest();
  request["spec"].as_object().erase("models");
  setting.catalog.Put(ARequest(request));
  const auto sources = setting.Find(ABentoDeployment());
  ASSERT_THAT(sources.notes, SizeIs(1));
  EXPECT_EQ(sources.notes[0].reason, "NoModelsListed");
}

TEST(BentoSources, AreNotGuessedWithoutAPathPattern) {
  Setting setting;
  setting.catalog.Put(ARequest(ASimpleRequest()));
  for (const auto* pattern :
       {"", "${.PVC.name}", "${.PVC.annotations.path}/x", "x${.PVC.annotations.path}",
        "${.PVC.namespace}/${.PVC.annotations.path}", "../${.PVC.annotations.path}"}) {
    auto storage = Json(kStorageClassJson);
    storage["parameters"].as_object()["pathPattern"] = pattern;
    setting.catalog.Put(*ReadStorageClass(storage));
    const auto sources = setting.Find(ABentoDeployment());
    EXPECT_THAT(sources.models, IsEmpty()) << pattern;
    ASSERT_THAT(sources.unresolved, SizeIs(1)) << pattern;
    EXPECT_EQ(sources.unresolved[0].tag, kItemTag);
  }
  setting.catalog.RemoveStorageClass("juicefs-sc");
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_THAT(Obstacles(sources), ElementsAre("LayoutUnknown"));
  EXPECT_THAT(sources.unresolved[0].reason, HasSubstr("StorageClass juicefs-sc"));
}

TEST(BentoSources, FollowThePathPatternAndTheMountsSubdirectory) {
  Setting setting;
  setting.layout.multi_tenant = false;
  setting.catalog.Put(ARequest(ASimpleRequest()));
  auto storage = Json(kStorageClassJson);
  storage["parameters"].as_object()["pathPattern"] = "seeded/${.pvc.annotations.path}";
  storage["mountOptions"] = json::array{"subdir=/jfs"};
  storage["reclaimPolicy"] = "Delete";
  setting.catalog.Put(*ReadStorageClass(storage));
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_THAT(Paths(sources), ElementsAre("jfs/seeded/models/.shared/reranker/hx7q2d5m6cxa3"));
  ASSERT_THAT(sources.notes, SizeIs(1));
  EXPECT_EQ(sources.notes[0].reason, "ModelsNotRetained");
  setting.volumes[0].subdir = "jfs/seeded";
  EXPECT_THAT(Paths(setting.Find(ABentoDeployment())),
              ElementsAre("models/.shared/reranker/hx7q2d5m6cxa3"));
  setting.volumes[0].subdir = "elsewhere";
  EXPECT_THAT(Obstacles(setting.Find(ABentoDeployment())), ElementsAre("NotAllowed"));
}

TEST(BentoSources, NeedAVolumeThatFitsAndAllowsThem) {
  Setting setting;
  setting.catalog.Put(ARequest(ASimpleRequest()));
  setting.volumes = {};
  EXPECT_THAT(Obstacles(setting.Find(ABentoDeployment())), ElementsAre("UnknownVolume"));
  setting.volumes = {AVolume(), AVolume()};
  setting.volumes[1].name = "twin";
  EXPECT_THAT(Obstacles(setting.Find(ABentoDeployment())), ElementsAre("UnknownVolume"));
  setting.volumes = {AVolume()};
  setting.volumes[0].allowed_namespaces = {"other"};
  EXPECT_THAT(Obstacles(setting.Find(ABentoDeployment())), ElementsAre("NotAllowed"));
  setting.volumes[0].allowed_namespaces = {"other", "yatai"};
  EXPECT_THAT(setting.Find(ABentoDeployment()).models, SizeIs(1));
}

TEST(BentoSources, NeverLeadIntoTheDirectoryOfAnotherTenant) {
  Setting setting;
  setting.volumes[0].allowed_namespaces = {"yatai", "victim"};
  auto request = ASimpleRequest();
  auto& annotations = request["metadata"].at("annotations").as_object();
  for (const auto* name : {"victim", "..", "../victim", "a/b", ".shared", "", "x\ny"}) {
    annotations["yatai.ai/model-storage-namepsace"] = name;
    setting.catalog.Put(ARequest(request));
    const auto sources = setting.Find(ABentoDeployment());
    for (const auto& path : Paths(sources)) {
      EXPECT_THAT(path, testing::Not(HasSubstr("victim"))) << name;
      EXPECT_THAT(path, testing::Not(HasSubstr(".."))) << name;
    }
    EXPECT_EQ(sources.models.empty(), std::string_view(name) != "") << name;
  }
  annotations["yatai.ai/model-storage-namepsace"] = "org-7";
  setting.catalog.Put(ARequest(request));
  EXPECT_THAT(setting.Find(ABentoDeployment()).models, SizeIs(1));
  setting.volumes[0].tenants = {{.name_space = "yatai", .storage_namespaces = {"org-42"}}};
  const auto refused = setting.Find(ABentoDeployment());
  ASSERT_THAT(Obstacles(refused), ElementsAre("NotAllowed"));
  EXPECT_THAT(refused.unresolved[0].reason, HasSubstr("the directory of \"org-7\""));
}

TEST(BentoSources, RefuseHostileTagsOneByOne) {
  Setting setting;
  auto request = Json(kBentoRequestJson);
  auto& models = request["spec"].at("models").as_array();
  models.push_back({{"tag", "../..:passwd"}});
  models.push_back({{"tag", "a:../../x"}});
  models.push_back({{"tag", std::string(250, 'a') + ":v"}});
  models.push_back({{"tag", "ok:v1"}, {"downloadUrl", "hf://../../x@main@e"}});
  setting.catalog.Put(ARequest(request));
  const auto sources = setting.Find(ABentoDeployment());
  EXPECT_THAT(sources.models, SizeIs(2));
  EXPECT_THAT(Obstacles(sources), ElementsAre("BadName", "BadName", "BadName", "BadName"));
}

TEST(PodVolumeSources, LeadFromTheClaimToADirectoryOfTheVolume) {
  Setting setting;
  setting.catalog.Put(*ReadPersistentVolumeClaim(Json(kClaimJson)));
  setting.catalog.Put(*ReadPersistentVolume(Json(kVolumeJson)));
  const auto workload = *ReadWorkload(DeploymentMapping(), ADeployment());
  const auto sources = setting.Find(workload);
  ASSERT_THAT(sources.models, SizeIs(1));
  EXPECT_EQ(sources.models[0].origin, Origin::kPodVolume);
  EXPECT_EQ(sources.models[0].tag, "weights");
  EXPECT_THAT(Paths(sources), ElementsAre("datasets/weights/llama"));
  EXPECT_THAT(sources.unresolved, IsEmpty());
}

TEST(PodVolumeSources, NeedAVolumeThatIsBoundToThisVeryClaim) {
  const auto workload = *ReadWorkload(DeploymentMapping(), ADeployment());
  Setting setting;
  EXPECT_THAT(Obstacles(setting.Find(workload)), ElementsAre("ClaimNotBound"));
  setting.catalog.Put(*ReadPersistentVolumeClaim(Json(kClaimJson)));
  EXPECT_THAT(Obstacles(setting.Find(workload)), ElementsAre("ClaimNotBound"));
  auto stolen = Json(kVolumeJson);
  stolen["spec"].at("claimRef").as_object()["namespace"] = "victim";
  setting.catalog.Put(*ReadPersistentVolume(stolen));
  EXPECT_THAT(Obstacles(setting.Find(workload)), ElementsAre("ClaimNotBound"))
      << "a claim can name any volume";
  setting.catalog.Put(*ReadPersistentVolume(Json(kVolumeJson)));
  EXPECT_THAT(setting.Find(workload).models, SizeIs(1));
  auto anew = Json(kClaimJson);
  anew["metadata"].as_object()["uid"] = "pvc-2";
  setting.catalog.Put(*ReadPersistentVolumeClaim(anew));
  EXPECT_THAT(Obstacles(setting.Find(workload)), ElementsAre("ClaimNotBound"));
  auto lost = Json(kClaimJson);
  lost["status"].as_object()["phase"] = "Lost";
  setting.catalog.Put(*ReadPersistentVolumeClaim(lost));
  const auto sources = setting.Find(workload);
  ASSERT_THAT(sources.unresolved, SizeIs(1));
  EXPECT_THAT(sources.unresolved[0].reason, HasSubstr("\"Lost\""));
}

TEST(PodVolumeSources, IgnoreWhatOtherDriversProvide) {
  const auto workload = *ReadWorkload(DeploymentMapping(), ADeployment());
  Setting setting;
  setting.catalog.Put(*ReadPersistentVolumeClaim(Json(kClaimJson)));
  auto disk = Json(kVolumeJson);
  disk["spec"].at("csi").as_object()["driver"] = "pd.csi.storage.gke.io";
  setting.catalog.Put(*ReadPersistentVolume(disk));
  EXPECT_THAT(setting.Find(workload).unresolved, IsEmpty());
  setting.catalog.RemoveVolume("pv-1");
  auto storage = Json(kStorageClassJson);
  storage["provisioner"] = "pd.csi.storage.gke.io";
  setting.catalog.Put(*ReadStorageClass(storage));
  EXPECT_THAT(setting.Find(workload).unresolved, IsEmpty()) << "pending, but not ours";
}

TEST(PodVolumeSources, RefuseSubPathsThatLeaveTheVolume) {
  Setting setting;
  setting.catalog.Put(*ReadPersistentVolumeClaim(Json(kClaimJson)));
  setting.catalog.Put(*ReadPersistentVolume(Json(kVolumeJson)));
  auto object = ADeployment();
  auto& mount = object["spec"]
                    .at("template")
                    .at("spec")
                    .at("containers")
                    .at(0)
                    .at("volumeMounts")
                    .at(0)
                    .as_object();
  mount["subPath"] = "../../victim";
  EXPECT_THAT(Obstacles(setting.Find(*ReadWorkload(DeploymentMapping(), object))),
              ElementsAre("BadName"));
  mount["subPath"] = "";
  mount["subPathExpr"] = "$(POD_NAME)";
  EXPECT_THAT(Obstacles(setting.Find(*ReadWorkload(DeploymentMapping(), object))),
              ElementsAre("WholeVolume"));
}

TEST(PodVolumeSources, DoNotWarmEverythingBecauseItIsMounted) {
  Setting setting;
  setting.catalog.Put(*ReadPersistentVolumeClaim(Json(kClaimJson)));
  auto object = ADeployment();
  object["spec"]
      .at("template")
      .at("spec")
      .at("containers")
      .at(0)
      .at("volumeMounts")
      .at(0)
      .as_object()
      .erase("subPath");
  const auto workload = *ReadWorkload(DeploymentMapping(), object);
  for (const auto* path : {"", "/", "models", "models/.shared", "models/org-42"}) {
    auto volume = Json(kVolumeJson);
    volume["spec"].at("csi").at("volumeAttributes").as_object()["subPath"] = path;
    setting.catalog.Put(*ReadPersistentVolume(volume));
    const auto sources = setting.Find(workload);
    EXPECT_THAT(Obstacles(sources), ElementsAre("WholeVolume")) << path;
    EXPECT_THAT(sources.models, IsEmpty()) << path;
  }
  auto volume = Json(kVolumeJson);
  volume["spec"].at("csi").at("volumeAttributes").as_object()["subPath"] =
      "models/.shared/reranker/hx7q2d5m6cxa3";
  setting.catalog.Put(*ReadPersistentVolume(volume));
  const auto sources = setting.Find(workload);
  ASSERT_THAT(sources.models, SizeIs(1));
  EXPECT_EQ(sources.models[0].candidates[0].layout, Layout::kItem) << "its marker counts";
}

TEST(PodVolumeSources, ShowWhereTheModelsOfABentoLie) {
  Setting setting;
  setting.catalog.Put(ARequest());
  setting.catalog.Put(*ReadPersistentVolumeClaim(Json(kClaimJson)));
  auto volume = Json(kVolumeJson);
  volume["spec"].at("csi").at("volumeAttributes").as_object()["subPath"] = "models/.shared";
  setting.catalog.Put(*ReadPersistentVolume(volume));
  auto workload = ABentoDeployment();
  Problems problems;
  AddPodVolumes(Json(R"({
    "containers": [{"name": "main", "volumeMounts": [
      {"name": "m", "mountPath": "/home/bentoml/bento/models/"},
      {"name": "m", "mountPath": "/home/bentoml/bento/hf-models",
       "subPath": "meta-llama--meta-llama-3-8b-instruct/all"}]}],
    "volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "weights"}}]})"),
                workload.components.front(), problems);
  const auto sources = setting.Find(workload);
  EXPECT_THAT(Paths(sources), ElementsAre("models/.shared/meta-llama--meta-llama-3-8b-instruct/all",
                                          "models/.shared/reranker/hx7q2d5m6cxa3"))
      << "as mounted, not as the storage namespace would have it";
  EXPECT_EQ(sources.models[0].origin, Origin::kPodVolume);
  EXPECT_EQ(sources.models[0].candidates[0].layout, Layout::kHub);
  EXPECT_THAT(sources.unresolved, IsEmpty()) << "a mount in which models lie is no whole volume";
}

TEST(AnnotationSources, NamePathsOfKnownVolumes) {
  Setting setting;
  const auto sources = setting.Find(
      AnAnnotatedWorkload(" models:/data/a/ , models:models/.shared/reranker/hx7q2d5m6cxa3,,"));
  EXPECT_THAT(Paths(sources), ElementsAre("data/a", "models/.shared/reranker/hx7q2d5m6cxa3"));
  EXPECT_EQ(sources.models[0].candidates[0].layout, Layout::kTree);
  EXPECT_EQ(sources.models[1].candidates[0].layout, Layout::kItem);
  EXPECT_EQ(sources.models[0].origin, Origin::kAnnotation);
}

TEST(AnnotationSources, AreRefusedOneByOne) {
  Setting setting;
  setting.volumes[0].tenants = {{.name_space = "yatai", .storage_namespaces = {"org-42"}}};
  const auto sources = setting.Find(AnAnnotatedWorkload(
      "nothing,other:a,models:,models:../x,models:a//b,models:models/org-7/m/v,models:/,"
      "models:models,models:models/org-42/m/v"));
  EXPECT_THAT(Paths(sources), ElementsAre("models/org-42/m/v"));
  EXPECT_THAT(sources.unresolved, SizeIs(8));
  for (const auto& each : sources.unresolved) EXPECT_THAT(each.reason, testing::Not(IsEmpty()));
}

TEST(AnnotationSources, MayNameTheWholeVolumeWhereNobodyElseLives) {
  const auto sources = Setting().Find(AnAnnotatedWorkload("models:/"));
  EXPECT_THAT(Paths(sources), ElementsAre(""));
}

TEST(AnnotationSources, AreBounded) {
  std::string many;
  for (int i = 0; i < 500; ++i) many += "models:p" + std::to_string(i) + ",";
  const auto sources = Setting().Find(AnAnnotatedWorkload(many));
  EXPECT_THAT(sources.models, SizeIs(kMaxModels));
  EXPECT_THAT(Obstacles(sources), ElementsAre("BadObject"));
}

TEST(Sources, OfAWorkloadThatIsSkippedAreNone) {
  auto object = Json(kBentoDeploymentJson);
  object["metadata"].as_object()["annotations"] = {{kSkipAnnotation, "true"},
                                                   {kModelsAnnotation, "models:a"}};
  Setting setting;
  setting.catalog.Put(ARequest());
  const auto sources = setting.Find(*ReadWorkload(BentoDeploymentMapping(), object));
  EXPECT_TRUE(sources.skipped);
  EXPECT_THAT(sources.models, IsEmpty());
  ASSERT_THAT(sources.notes, SizeIs(1));
  EXPECT_EQ(sources.notes[0].reason, "Skipped");
}

TEST(Sources, AreNeverSilentlyNone) {
  const auto workload = ReadWorkload(InferenceServiceMapping(), Json(R"({
    "metadata": {"name": "x", "namespace": "yatai"},
    "spec": {"predictor": {"model": {"storageUri": "s3://b/x"}}}})"));
  const auto sources = Setting().Find(*workload);
  ASSERT_THAT(sources.notes, SizeIs(1));
  EXPECT_EQ(sources.notes[0].reason, "NothingNamed");
}

TEST(Sources, CarryTheProblemsOfTheirObjects) {
  Setting setting;
  auto request = Json(kBentoRequestJson);
  request["spec"].at("models").at(0).as_object()["size"] = "huge";
  setting.catalog.Put(ARequest(request));
  auto deployment = Json(kBentoDeploymentJson);
  deployment["spec"].at("autoscaling").as_object()["minReplicas"] = "one";
  const auto sources = setting.Find(*ReadWorkload(BentoDeploymentMapping(), deployment));
  EXPECT_THAT(Obstacles(sources), ElementsAre("BadObject", "BadObject"));
  EXPECT_THAT(sources.models, SizeIs(2)) << "the rest still counts";
}

TEST(ModelPlan, GivesPathsSizesAndStates) {
  Setting setting;
  setting.catalog.Put(ARequest());
  const auto sources = setting.Find(ABentoDeployment());
  const auto unlooked = PlanModels(sources, {});
  ASSERT_THAT(unlooked.models, SizeIs(2));
  EXPECT_EQ(unlooked.models[0].state, ModelState::kUnlooked);
  EXPECT_EQ(unlooked.models[0].bytes, std::uint64_t{16} << 30);
  EXPECT_FALSE(unlooked.IsWhole());

  const auto plan = PlanModels(sources, ASeededVolume().ResolveAll(sources));
  EXPECT_EQ(plan.generation, Generation::kG1);
  EXPECT_TRUE(plan.IsWhole());
  ASSERT_THAT(plan.models, SizeIs(2));
  EXPECT_EQ(plan.models[0].tag, kHubTag);
  EXPECT_EQ(plan.models[0].volume, "models");
  EXPECT_EQ(plan.models[0].state, ModelState::kSeeded);
  EXPECT_EQ(plan.models[0].bytes, 9010U) << "what lies there, not what was declared";
  EXPECT_THAT(plan.models[0].paths, SizeIs(3));
  EXPECT_EQ(plan.models[1].bytes, 1300U);
  EXPECT_THAT(plan.models[1].reason, IsEmpty());
}

TEST(ModelPlan, BelievesTheVolumeMoreThanTheRequest) {
  Setting setting;
  setting.catalog.Put(ARequest());
  const auto sources = setting.Find(ABentoDeployment());
  auto volume = ASeededVolume();
  volume.Remove("models/org-42/reranker/hx7q2d5m6cxa3/.exists");
  auto plan = PlanModels(sources, volume.ResolveAll(sources));
  EXPECT_EQ(plan.models[1].state, ModelState::kPartial);
  EXPECT_THAT(plan.models[1].reason, HasSubstr("the BentoRequest says that it is seeded"));
  EXPECT_THAT(plan.models[1].paths, testing::Not(IsEmpty()));
  EXPECT_FALSE(plan.IsWhole());
  plan = PlanModels(sources, FakeVolume().ResolveAll(sources));
  EXPECT_EQ(plan.models[1].state, ModelState::kAbsent);
  EXPECT_THAT(plan.models[1].paths, IsEmpty());

  auto unseeded = Json(kBentoRequestJson);
  unseeded["status"].as_object().erase("conditions");
  setting.catalog.Put(ARequest(unseeded));
  const auto early = setting.Find(ABentoDeployment());
  plan = PlanModels(early, ASeededVolume().ResolveAll(early));
  EXPECT_EQ(plan.models[0].state, ModelState::kSeeded) << "the marker is enough";
}

TEST(ModelPlan, NamesAFileWhoseNameIsNoTextInsteadOfPlanningIt) {
  Setting setting;
  setting.catalog.Put(ARequest());
  const auto sources = setting.Find(ABentoDeployment());
  auto volume = ASeededVolume();
  volume.File("models/org-42/reranker/hx7q2d5m6cxa3/caf\xe9.safetensors");
  const auto plan = PlanModels(sources, volume.ResolveAll(sources));
  ASSERT_THAT(plan.models, SizeIs(1));
  EXPECT_EQ(plan.models[0].tag, kHubTag);
  ASSERT_THAT(plan.unresolved, SizeIs(1));
  EXPECT_EQ(plan.unresolved[0].obstacle, Obstacle::kBadName);
  EXPECT_THAT(plan.unresolved[0].reason, HasSubstr("caf\uFFFD.safetensors is not UTF-8"));
  EXPECT_FALSE(plan.IsWhole());
}

TEST(ModelsExists, CountsOnlyForThisStorageClassAndWithAllTags) {
  const auto says = [](const std::string& status, const std::string& message) {
    auto request = ARequest();
    request.models_exist = Condition{.status = status, .message = message};
    return FindSources(ABentoDeployment(),
                       [&] {
                         auto catalog = ACatalog();
                         catalog.Put(request);
                         return catalog;
                       }(),
                       KnownVolumes({AVolume()}), {})
        .models.front()
        .declared_seeded;
  };
  const std::string both = std::string(kHubTag) + ", " + kItemTag;
  EXPECT_TRUE(says("True", "juicefs-sc:" + both));
  EXPECT_TRUE(says("True", std::string("juicefs-sc:") + kItemTag + "," + kHubTag));
  EXPECT_FALSE(says("False", "juicefs-sc:" + both));
  EXPECT_FALSE(says("Unknown", "juicefs-sc:" + both));
  EXPECT_FALSE(says("True", "juicefs-sc-old:" + both));
  EXPECT_FALSE(says("True", "other:" + both));
  EXPECT_FALSE(says("True", both));
  EXPECT_FALSE(says("True", std::string("juicefs-sc:") + kHubTag)) << "one is missing";
  EXPECT_FALSE(says("True", ""));
}

TEST(KnownVolumes, PreferTheHandleToTheSecretToTheClass) {
  auto by_class = AVolume();
  by_class.name = "class";
  by_class.csi_secrets = {};
  auto by_secret = AVolume();
  by_secret.name = "secret";
  by_secret.storage_classes = {};
  auto by_handle = by_secret;
  by_handle.name = "handle";
  by_handle.csi_secrets = {};
  by_handle.volume_handles = {"pvc-1"};
  const auto volume = *ReadPersistentVolume(Json(kVolumeJson));
  EXPECT_EQ((*KnownVolumes({by_class, by_secret, by_handle}).Of(volume))->name, "handle");
  EXPECT_EQ((*KnownVolumes({by_class, by_secret}).Of(volume))->name, "secret");
  EXPECT_EQ((*KnownVolumes({by_class}).Of(volume))->name, "class");
  const auto none = KnownVolumes({}).Of(volume);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("kube-system/juicefs-secret"));
  EXPECT_THAT(none.error().message, HasSubstr("juicefs-sc"));
}

TEST(KnownVolumes, DoNotMistakeWhatIsNotThereForWhatIsNotNamed) {
  KnownVolume bare;
  bare.name = "bare";
  PersistentVolume volume;
  volume.ref = {
      .api_version = {}, .kind = "PersistentVolume", .name_space = {}, .name = "pv", .uid = {}};
  EXPECT_FALSE(KnownVolumes({bare}).Of(volume));
  bare.storage_classes = {""};
  bare.csi_secrets = {{.name_space = "", .name = ""}};
  bare.volume_handles = {""};
  EXPECT_FALSE(KnownVolumes({bare}).Of(volume)) << "empty names fit nothing";
}

}  // namespace
}  // namespace prewarm::controller::bento
