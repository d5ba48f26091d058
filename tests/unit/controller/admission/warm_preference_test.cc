#include "controller/admission/warm_preference.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "controller/kube/base64.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr const char* kOwned = R"("metadata": {"labels": {"pod-template-hash": "5d8f6c"},
  "ownerReferences": [{"kind": "ReplicaSet", "name": "chat-5d8f6c", "controller": true}]})";

std::string Review(const std::string& metadata, const std::string& spec,
                   const std::string& kind = "Pod") {
  return R"({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u-1",
    "namespace": "team-a", "object": {"kind": ")" +
         kind + "\", " + metadata + ", \"spec\": " + spec + "}}}";
}

// The patch of an answer; null: none.
json::value PatchIn(const std::string& review) {
  const auto answer = AnswerReview(review);
  EXPECT_TRUE(answer) << answer.error().message;
  const auto response = json::parse(*answer).at("response").as_object();
  EXPECT_EQ(response.at("uid"), "u-1");
  EXPECT_EQ(response.at("allowed"), true);
  const auto* patch = response.if_contains("patch");
  if (patch == nullptr) return nullptr;
  EXPECT_EQ(response.at("patchType"), "JSONPatch");
  const auto& text = patch->as_string();
  return json::parse(*kube::DecodeBase64({text.data(), text.size()}));
}

const json::value kWish = json::parse(R"({"weight": 50, "preference": {"matchExpressions": [
  {"key": "warm.prewarm.dev/team-a.chat", "operator": "Exists"}]}})");

TEST(WarmPreference, IsAddedAsDeepAsThereAreParents) {
  EXPECT_EQ(
      PatchIn(Review(kOwned, "{}")),
      json::value(
          {{{"op", "add"},
            {"path", "/spec/affinity"},
            {"value",
             {{"nodeAffinity",
               {{"preferredDuringSchedulingIgnoredDuringExecution", json::array{kWish}}}}}}}}));
  EXPECT_EQ(PatchIn(Review(kOwned, R"({"affinity": {"podAffinity": {}}})")).at(0).at("path"),
            "/spec/affinity/nodeAffinity");
  const auto beside = PatchIn(Review(kOwned, R"({"affinity": {"nodeAffinity": {
      "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}})"));
  EXPECT_EQ(beside.at(0).at("path"),
            "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution");
  EXPECT_EQ(beside.at(0).at("value"), json::array{kWish});
  const auto after = PatchIn(Review(kOwned, R"({"affinity": {"nodeAffinity": {
      "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}}})"));
  EXPECT_EQ(after.at(0).at("path"),
            "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution/-");
  EXPECT_EQ(after.at(0).at("value"), kWish);
}

TEST(WarmPreference, LeavesAloneWhatSaysSomethingOfTheLabelAlready) {
  const auto spec = R"({"affinity": {"nodeAffinity": {
    "preferredDuringSchedulingIgnoredDuringExecution": [)" +
                    json::serialize(kWish) + "]}}}";
  EXPECT_TRUE(PatchIn(Review(kOwned, spec)).is_null());
}

TEST(WarmPreference, IsOnlyForPodsThatAreScaled) {
  EXPECT_TRUE(PatchIn(Review(R"("metadata": {})", "{}")).is_null());
  EXPECT_TRUE(PatchIn(Review(R"("metadata": {"ownerReferences":
    [{"kind": "DaemonSet", "name": "log", "controller": true}]})",
                             "{}"))
                  .is_null());
  EXPECT_TRUE(
      PatchIn(
          Review(R"("metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": "x"}]})", "{}"))
          .is_null());
  EXPECT_TRUE(PatchIn(Review(kOwned, "{}", "Deployment")).is_null());
  EXPECT_TRUE(PatchIn(R"({"request": {"uid": "u-1", "object": null}})").is_null());
  const auto set = PatchIn(Review(R"("metadata": {"ownerReferences":
    [{"kind": "StatefulSet", "name": "chat", "controller": true}]})",
                                  "{}"));
  EXPECT_THAT(json::serialize(set), HasSubstr("warm.prewarm.dev/team-a.chat\""));
}

TEST(WarmPreference, AnswersNothingButReviews) {
  for (const std::string body : {"", "{", "[]", "{}", R"({"request": {}})", R"({"request": []})",
                                 R"({"request": {"uid": ""}})"}) {
    const auto answer = AnswerReview(body);
    ASSERT_FALSE(answer) << body;
    EXPECT_THAT(answer.error().message, HasSubstr("AdmissionReview"));
  }
}

}  // namespace
}  // namespace prewarm::controller
