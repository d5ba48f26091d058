// PrewarmPolicies: their JSON, and which one wins.
#include "controller/demand/policy.h"

#include <gtest/gtest.h>

#include "controller/demand/policy_json.h"
#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

Policy Named(std::string name, std::vector<std::string> keys, std::string name_space = "ml") {
  Policy policy;
  policy.name_space = std::move(name_space);
  policy.name = std::move(name);
  for (auto& key : keys) {
    policy.selector.requirements.push_back({std::move(key), Requirement::Operator::kExists, {}});
  }
  return policy;
}

TEST(Policies, TheMostSpecificWinsAndThenTheName) {
  const std::vector<Policy> policies{Named("z-all", {}), Named("b-team", {"team"}),
                                     Named("a-team", {"team"}), Named("both", {"team", "tier"}),
                                     Named("a", {"team", "tier"}, "other")};
  const auto winner = [&](const Labels& labels, std::string_view name_space = "ml") {
    return PolicyFor(name_space, labels, policies).name;
  };
  EXPECT_EQ(winner({}), "z-all");
  EXPECT_EQ(winner({{"team", "x"}}), "a-team");
  EXPECT_EQ(winner({{"team", "x"}, {"tier", "1"}}), "both");
  EXPECT_EQ(winner({{"team", "x"}, {"tier", "1"}}, "other"), "a");
  EXPECT_EQ(PolicyFor("third", {}, policies), Policy{});
  EXPECT_EQ(PolicyFor("ml", {}, {}), Policy{});
}

TEST(PolicyJson, OfAnEmptySpecIsTheDefault) {
  Policy expected;
  expected.name_space = "ml";
  expected.name = "p";
  const auto policy =
      PolicyFromJson(Json(R"({"metadata": {"namespace": "ml", "name": "p"}, "spec": {}})"));
  ASSERT_TRUE(policy);
  EXPECT_EQ(*policy, expected);
}

TEST(PolicyJson, ReadsEveryField) {
  const auto policy = PolicyFromJson(Json(R"({
    "metadata": {"namespace": "ml", "name": "p"},
    "spec": {"selector": {"matchLabels": {"team": "nlp"}}, "suspend": true, "priority": 700,
      "triggers": {"onSeeded": false, "onDeploymentChange": false,
                   "onForecast": {"enabled": false, "ratio": 0.9, "extraReplicas": 3},
                   "onPendingPod": false, "onNodeJoin": false},
      "target": {"nodeSelector": {"nvme": "true"}, "maxNodes": 12},
      "keepWarm": {"minNodes": 2, "afterScaleDown": "2h"},
      "gate": {"mode": "StartupTaint", "timeout": "90s"},
      "files": {"include": ["*.safetensors"], "exclude": ["original/*", "*.bin"]}}})"));
  ASSERT_TRUE(policy) << policy.error().message;
  Policy expected;
  expected.name_space = "ml";
  expected.name = "p";
  expected.selector.requirements = {{"team", Requirement::Operator::kIn, {"nlp"}}};
  expected.suspend = true;
  expected.priority = 700;
  expected.triggers = {false, false, false, 0.9, 3, false, false};
  expected.node_selector = {{"nvme", "true"}};
  expected.max_nodes = 12;
  expected.keep_nodes = 2;
  expected.keep_after_scale_down = std::chrono::hours(2);
  expected.gate = Policy::Gate::kStartupTaint;
  expected.gate_timeout = seconds(90);
  expected.include = {"*.safetensors"};
  expected.exclude = {"original/*", "*.bin"};
  EXPECT_EQ(*policy, expected);
}

TEST(PolicyJson, NamesWhatIsWrong) {
  const struct {
    const char* spec;
    const char* message;
  } kCases[] = {
      {R"({"priority": 1001})", "spec.priority is above 1000"},
      {R"({"priority": "high"})", "spec.priority is a text, not a whole number within 64 bits"},
      {R"({"triggers": {"onForecast": {"ratio": "0"}}})",
       "spec.triggers.onForecast.ratio is not between 0 and 10"},
      {R"({"keepWarm": {"afterScaleDown": "-1h"}})", "spec.keepWarm.afterScaleDown is negative"},
      {R"({"keepWarm": {"minNodes": -1}})", "spec.keepWarm.minNodes is -1, not a count"},
      {R"({"gate": {"mode": "Wall"}})", "spec.gate.mode is neither None nor StartupTaint"},
      {R"({"files": {"include": "x"}})", "spec.files.include is a text, not a list"},
      {R"({"selector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}})",
       "spec.selector.matchExpressions[0].operator is not an operator that may stand here"},
  };
  for (const auto& it : kCases) {
    const auto policy = PolicyFromJson(Json(
        std::string(R"({"metadata": {"namespace": "ml", "name": "p"}, "spec": )") + it.spec + "}"));
    ASSERT_FALSE(policy) << it.spec;
    EXPECT_EQ(policy.error().message, std::string("prewarmpolicy ml/p: ") + it.message);
  }
}

}  // namespace
}  // namespace prewarm::controller::demand
