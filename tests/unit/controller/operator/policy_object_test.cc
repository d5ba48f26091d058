#include "controller/operator/policy_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

namespace prewarm::controller {
namespace {

using testing::HasSubstr;

PolicyObject Policy(const std::string& name, const std::string& spec,
                    const std::string& name_space = "team") {
  return ReadPolicyObject(boost::json::parse(R"({"metadata": {"name": ")" + name +
                                             R"(", "namespace": ")" + name_space +
                                             R"(", "generation": 2}, "spec": )" + spec + "}")
                              .as_object());
}

bento::Workload Workload(const std::string& name, bento::TextMap labels) {
  bento::Workload workload;
  workload.ref.name_space = "team";
  workload.ref.name = name;
  workload.labels = std::move(labels);
  return workload;
}

// "True Valid, False Overruled, True AllResolved, 0"
std::string Said(const PolicyObject& object, const std::vector<PolicyObject>& all,
                 const std::vector<bento::Workload>& workloads) {
  std::vector<demand::Policy> policies;
  for (const auto& one : all) {
    if (one.problem.empty()) policies.push_back(one.policy);
  }
  std::vector<const bento::Workload*> pointers;
  for (const auto& one : workloads) pointers.push_back(&one);
  auto uses =
      UsesOf(policies, pointers, [](const std::string&) { return std::vector<WorkloadNote>(); });
  const auto status = PolicyStatusOf(object, uses[object.key]);
  std::string text;
  for (const auto& condition : status.conditions) {
    text += condition.status + " " + condition.reason + ", ";
  }
  return text + std::to_string(status.workloads);
}

const std::vector<bento::Workload>& Two() {
  static const std::vector<bento::Workload> kTwo{Workload("a", {{"team", "nlp"}}),
                                                 Workload("b", {{"team", "vision"}})};
  return kTwo;
}

TEST(PolicyStatus, SaysForHowManyWorkloadsItHolds) {
  const auto all = Policy("all", "{}");
  EXPECT_EQ(Said(all, {all}, Two()), "True Valid, True Holds, True AllResolved, 2");
}

TEST(PolicyStatus, NamesTheMoreSpecificOne) {
  const auto all = Policy("all", "{}");
  const auto nlp = Policy("nlp", R"({"selector": {"matchLabels": {"team": "nlp"}}})");
  EXPECT_EQ(Said(all, {all, nlp}, Two()), "True Valid, True Holds, True AllResolved, 1");
  EXPECT_EQ(Said(nlp, {all, nlp}, Two()), "True Valid, True Holds, True AllResolved, 1");
  const std::vector<bento::Workload> only_nlp{Two()[0]};
  EXPECT_EQ(Said(all, {all, nlp}, only_nlp), "True Valid, False Overruled, True AllResolved, 0");
  PolicyUse use;
  use.overruled = 1;
  use.overruled_by = {"nlp"};
  EXPECT_THAT(PolicyStatusOf(all, use).conditions[1].message, HasSubstr("nlp"));
}

TEST(PolicyStatus, SaysThatNothingMatches) {
  const auto other = Policy("other", "{}", "elsewhere");
  EXPECT_EQ(Said(other, {other}, Two()), "True Valid, False NoWorkload, True AllResolved, 0");
}

TEST(PolicyStatus, SaysWhatIsWrong) {
  const auto wrong = Policy("wrong", R"({"priority": 5000})");
  EXPECT_EQ(Said(wrong, {wrong}, Two()), "False Invalid, False Invalid, True AllResolved, 0");
  EXPECT_THAT(PolicyStatusOf(wrong, {}).conditions[0].message, HasSubstr("priority"));
}

// Notes of `count` workloads, and of one whose model cannot be found.
PolicyUse WithNotes(std::size_t count) {
  PolicyUse use;
  use.holds_for = count + 1;
  for (std::size_t i = 0; i < count; ++i) {
    use.notes.push_back({"Deployment d" + std::to_string(i), "ModelsInImage", "in the image"});
  }
  use.notes.push_back(
      {"Deployment lost", "UnknownVolume", "no volume x" + std::string(5'000, '.'), true});
  return use;
}

TEST(PolicyStatus, NamesWorkloadsWhoseModelsCannotBeFound) {
  const auto status = PolicyStatusOf(Policy("all", "{}"), WithNotes(1));
  const auto& condition = status.conditions.back();
  EXPECT_EQ(condition.type + " " + condition.status + " " + condition.reason,
            "ModelsResolved False Unresolved");
  EXPECT_THAT(condition.message, HasSubstr("1 workload not all models can be found: "
                                           "Deployment lost (UnknownVolume)"));
  ASSERT_EQ(status.notes.size(), 2U);
  EXPECT_EQ(status.notes[0].workload, "Deployment lost");
  EXPECT_LE(status.notes[0].message.size(), 512U);
  EXPECT_EQ(status.notes[1].message, "in the image");
}

TEST(PolicyStatus, HasRoomForSomeOfThousandsOfWorkloads) {
  const auto status = PolicyStatusOf(Policy("all", "{}"), WithNotes(5'000));
  EXPECT_EQ(status.notes.size(), kMostNotes);
  EXPECT_TRUE(status.notes[0].unresolved) << "what somebody has to act on comes first";
}

TEST(PolicyUse, SaysThatNobodyHasLookedYet) {
  const auto policy = Policy("all", "{}").policy;
  const auto uses = UsesOf(std::vector{policy}, std::vector<const bento::Workload*>{&Two()[0]},
                           [](const std::string&) { return std::nullopt; });
  EXPECT_TRUE(uses.at({"team", "all"}).unlooked);
}

TEST(PolicyStatus, ComesBackAsItWasWritten) {
  auto object = Policy("all", "{}");
  auto status = PolicyStatusOf(object, WithNotes(1));
  kube::Follow({}, status.conditions, object.generation, WallTime(std::chrono::hours(12)));
  const boost::json::object written{{"metadata", {{"name", "all"}, {"namespace", "team"}}},
                                    {"status", PolicyStatusObject(status)}};
  EXPECT_TRUE(ReadPolicyObject(written).status.Says(status));
}

}  // namespace
}  // namespace prewarm::controller
