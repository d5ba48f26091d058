#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/bento/object_fields.h"
#include "controller/bento/objects_json.h"
#include "tests/unit/controller/bento/fixtures.h"

namespace prewarm::controller::bento {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

TEST(BentoRequestObject, GivesModelsConditionsAndOnlyAnnotationsThatWeRead) {
  const auto request = ReadBentoRequest(Json(kBentoRequestJson));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->ref.Words(), "BentoRequest yatai/llama-chat--k6v2x7m4kq3aq");
  EXPECT_EQ(request->tag, "llama_chat:k6v2x7m4kq3aq");
  ASSERT_THAT(request->models, SizeIs(2));
  EXPECT_EQ(request->models[0].tag, kHubTag);
  EXPECT_EQ(request->models[0].bytes, std::uint64_t{16} << 30);
  EXPECT_EQ(request->models[1].bytes, std::uint64_t{1300} << 20);
  EXPECT_EQ(request->models_exist->status, "True");
  EXPECT_EQ(request->models_seeding->message, "All models have been seeded.");
  EXPECT_THAT(request->annotations, SizeIs(3));
  EXPECT_FALSE(request->annotations.contains("kubectl.kubernetes.io/last-applied-configuration"));
  EXPECT_TRUE(request->problems.empty());
}

TEST(BentoObject, AddsTheTagsOfRunnersOnce) {
  auto object = Json(kBentoJson);
  object["spec"].as_object()["runners"] =
      json::parse(R"([{"name": "r0", "modelTags": ["reranker:hx7q2d5m6cxa3"]},
                      {"name": "r1", "modelTags": ["reranker:hx7q2d5m6cxa3", "third:v1"]}])");
  const auto bento = ReadBento(object);
  ASSERT_TRUE(bento);
  std::vector<std::string> tags;
  for (const auto& model : bento->models) tags.push_back(model.tag);
  EXPECT_THAT(tags, ElementsAre(kHubTag, kItemTag, "third:v1"));
  EXPECT_THAT(bento->runners, ElementsAre("r0", "r1"));
  EXPECT_EQ(bento->request_uid, "11111111-2222-3333-4444-555555555555");
}

TEST(VolumeObjects, GiveWhatBindsAClaimToADirectory) {
  auto object = Json(kVolumeJson);
  object["spec"].as_object()["mountOptions"] = {"ro,subdir=jfs/a", "cache-size=1"};
  const auto volume = ReadPersistentVolume(object);
  ASSERT_TRUE(volume);
  EXPECT_EQ(volume->driver, "csi.juicefs.com");
  EXPECT_EQ(volume->sub_path, "datasets/weights");
  EXPECT_EQ(volume->mount_subdir, "jfs/a");
  EXPECT_EQ(volume->node_publish_secret.name, "juicefs-secret");
  EXPECT_EQ(volume->claim.uid, "pvc-1");
  const auto storage = ReadStorageClass(Json(kStorageClassJson));
  ASSERT_TRUE(storage);
  EXPECT_EQ(storage->path_pattern, "${.PVC.annotations.path}");
  EXPECT_EQ(storage->node_publish_secret.name_space, "kube-system");
  EXPECT_EQ(storage->reclaim_policy, "Retain");
}

TEST(Objects, NameFieldsOfTheWrongTypeAndReadTheRest) {
  auto object = Json(kBentoRequestJson);
  auto& models = object["spec"].at("models").as_array();
  models[0].as_object()["tag"] = 7;
  models[1].as_object()["size"] = "much";
  models.emplace_back("a text");
  object["status"].as_object()["conditions"] = 1;
  const auto request = ReadBentoRequest(object);
  ASSERT_TRUE(request);
  ASSERT_THAT(request->models, SizeIs(1));
  EXPECT_EQ(request->models[0].tag, kItemTag);
  EXPECT_FALSE(request->models[0].bytes);
  EXPECT_THAT(request->problems.lines(),
              ElementsAre("spec.models[0].tag must be a text, not a number",
                          "spec.models[0].tag is missing",
                          "spec.models[1].size must be a size such as \"16Gi\" or 1024",
                          "spec.models[2] must be an object, not a text",
                          "status.conditions must be a list, not a number"));
}

TEST(Objects, WithoutANameAreNothing) {
  EXPECT_FALSE(ReadBento(Json("{}")));
  EXPECT_FALSE(ReadBento(Json(R"({"metadata": {"name": 3}})")));
  EXPECT_FALSE(ReadBento(Json(R"({"metadata": []})")));
}

TEST(Objects, AreBoundedWhateverTheyHold) {
  json::array models;
  for (int i = 0; i < 5000; ++i) models.push_back({{"tag", "m:" + std::to_string(i)}});
  json::object object{{"metadata", {{"name", "b"}}}, {"spec", {{"models", models}}}};
  object["spec"].as_object()["tag"] = std::string(1 << 20, 'x');
  const auto bento = ReadBento(object);
  ASSERT_TRUE(bento);
  EXPECT_THAT(bento->models, SizeIs(kMaxModels));
  EXPECT_THAT(bento->tag, IsEmpty());
  EXPECT_THAT(bento->problems.lines(),
              ElementsAre(HasSubstr("1048576 bytes; at most 256"), HasSubstr("5000 entries")));
}

TEST(Problems, AreAsFewAsPeopleRead) {
  Problems problems;
  for (int i = 0; i < 1000; ++i) problems.Add("field", std::string(10'000, 'x'));
  EXPECT_THAT(problems.lines(), SizeIs(kMaxProblems + 1));
  EXPECT_EQ(problems.lines().back(), "and more");
  EXPECT_LT(problems.lines().front().size(), 400U);
}

TEST(QuantityBytes, ReadsWhatKubernetesWrites) {
  EXPECT_EQ(QuantityBytes("0"), 0U);
  EXPECT_EQ(QuantityBytes("1536"), 1536U);
  EXPECT_EQ(QuantityBytes("16Gi"), std::uint64_t{16} << 30);
  EXPECT_EQ(QuantityBytes("1.5Gi"), (std::uint64_t{3} << 30) / 2);
  EXPECT_EQ(QuantityBytes("1300M"), 1'300'000'000U);
  EXPECT_EQ(QuantityBytes("1e3"), 1000U);
  EXPECT_EQ(QuantityBytes("12E"), std::nullopt) << "beyond 2^63";
  EXPECT_EQ(QuantityBytes("2E"), 2'000'000'000'000'000'000U);
  EXPECT_EQ(QuantityBytes("1500m"), 2U) << "rounded up";
  EXPECT_EQ(QuantityBytes("+5k"), 5000U);
  EXPECT_EQ(QuantityBytes("4503599627370497"), 4503599627370497U) << "exact";
}

TEST(QuantityBytes, RefusesEverythingElse) {
  for (const auto* text : {"", "Gi", "-1", "1 Gi", "1gi", "1GiB", "1.2.3", "0x10", "inf", "nan",
                           "1e", "1e99", "9Ei", "++1", "."}) {
    EXPECT_EQ(QuantityBytes(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace prewarm::controller::bento
