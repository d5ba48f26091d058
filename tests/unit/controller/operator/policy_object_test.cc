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

// "True Valid, False Overruled, 0"
std::string Said(const PolicyObject& object, const std::vector<PolicyObject>& all,
                 const std::vector<bento::Workload>& workloads) {
  std::vector<demand::Policy> policies;
  for (const auto& one : all) {
    if (one.problem.empty()) policies.push_back(one.policy);
  }
  std::vector<const bento::Workload*> pointers;
  for (const auto& one : workloads) pointers.push_back(&one);
  auto uses = UsesOf(policies, pointers);
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
  EXPECT_EQ(Said(all, {all}, Two()), "True Valid, True Holds, 2");
}

TEST(PolicyStatus, NamesTheMoreSpecificOne) {
  const auto all = Policy("all", "{}");
  const auto nlp = Policy("nlp", R"({"selector": {"matchLabels": {"team": "nlp"}}})");
  EXPECT_EQ(Said(all, {all, nlp}, Two()), "True Valid, True Holds, 1");
  EXPECT_EQ(Said(nlp, {all, nlp}, Two()), "True Valid, True Holds, 1");
  const std::vector<bento::Workload> only_nlp{Two()[0]};
  EXPECT_EQ(Said(all, {all, nlp}, only_nlp), "True Valid, False Overruled, 0");
  PolicyUse use;
  use.overruled = 1;
  use.overruled_by = {"nlp"};
  EXPECT_THAT(PolicyStatusOf(all, use).conditions[1].message, HasSubstr("nlp"));
}

TEST(PolicyStatus, SaysThatNothingMatches) {
  const auto other = Policy("other", "{}", "elsewhere");
  EXPECT_EQ(Said(other, {other}, Two()), "True Valid, False NoWorkload, 0");
}

TEST(PolicyStatus, SaysWhatIsWrong) {
  const auto wrong = Policy("wrong", R"({"priority": 5000})");
  EXPECT_EQ(Said(wrong, {wrong}, Two()), "False Invalid, False Invalid, 0");
  EXPECT_THAT(PolicyStatusOf(wrong, {}).conditions[0].message, HasSubstr("priority"));
}

TEST(PolicyStatus, ComesBackAsItWasWritten) {
  auto object = Policy("all", "{}");
  auto status = PolicyStatusOf(object, {});
  kube::Follow({}, status.conditions, object.generation, WallTime(std::chrono::hours(12)));
  const boost::json::object written{{"metadata", {{"name", "all"}, {"namespace", "team"}}},
                                    {"status", PolicyStatusObject(status)}};
  EXPECT_TRUE(ReadPolicyObject(written).status.Says(status));
}

}  // namespace
}  // namespace prewarm::controller
