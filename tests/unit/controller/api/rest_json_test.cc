#include "controller/api/rest_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "common/base/rfc3339.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

// "field: detail" of every problem, one a line.
std::string Problems(std::string_view body) {
  const auto request = CreateRequestFromJson(body);
  if (request) return "none";
  std::string text;
  for (const auto& [field, detail] : request.error().fields) text += field + ": " + detail + "\n";
  return text.empty() ? request.error().type : text;
}

TEST(CreateRequestFromJson, ReadsEveryField) {
  const auto request = CreateRequestFromJson(R"({
    "spec": {
      "volume": "models", "paths": ["a", "b/c"],
      "nodes": {"names": ["n1"], "labels": {"gpu": "h100"}, "count": 2},
      "priority": 10, "deadline": "2026-11-25T14:30:00+02:00", "refuse_if_late": true,
      "keep": true, "model": "llama"
    },
    "idempotency_key": "release-42"})");
  ASSERT_TRUE(request) << request.error().detail;
  PrewarmSpec spec;
  spec.volume = "models";
  spec.paths = {"a", "b/c"};
  spec.nodes = {{"n1"}, {{"gpu", "h100"}}, 2};
  spec.priority = 10;
  spec.deadline = *ParseRfc3339("2026-11-25T12:30:00Z");
  spec.refuse_if_late = true;
  spec.keep = true;
  spec.model = "llama";
  EXPECT_EQ(request->spec, spec);
  EXPECT_EQ(request->idempotency_key, "release-42");
}

TEST(CreateRequestFromJson, NeedsAVolumeOnly) {
  const auto request = CreateRequestFromJson(R"( {"spec": {"volume": "models"}} )");
  ASSERT_TRUE(request);
  PrewarmSpec spec;
  spec.volume = "models";
  EXPECT_EQ(request->spec, spec);
  EXPECT_TRUE(CreateRequestFromJson(
      R"({"spec": {"volume": "m", "deadline": null, "priority": 10.0, "nodes": {}}})"));
}

TEST(CreateRequestFromJson, TakesABentoInPlaceOfPaths) {
  const auto request = CreateRequestFromJson(
      R"({"spec": {"nodes": {"count": 2}, "priority": 5}, "bento": "chat:k6v2"})");
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->bento, "chat:k6v2");
  EXPECT_EQ(request->spec.nodes.count, 2U);
  EXPECT_EQ(Problems(R"({"spec": {}, "bento": ""})"), "spec.volume: is missing\n");
  EXPECT_EQ(Problems(R"({"spec": {}, "bento": 7})"), "bento: must be a text, not a number\n");
  EXPECT_EQ(Problems(R"({"bento": "chat"})"), "spec: is missing\n");
  const std::string not_with_bento =
      ": does not go together with bento, whose models say it: leave it out\n";
  EXPECT_EQ(Problems(R"({"spec": {"volume": "m", "paths": ["a"], "model": "x", "priority": 1001},
                         "bento": "chat"})"),
            "spec.priority: 1001 is not from 0 to 1000\nspec.volume" + not_with_bento +
                "spec.paths" + not_with_bento + "spec.model" + not_with_bento);
  const std::string longest(kMaxBentoBytes, 'b');
  EXPECT_EQ(Problems(R"({"spec": {}, "bento": ")" + longest + "\"}"), "none");
  EXPECT_THAT(Problems(R"({"spec": {}, "bento": ")" + longest + "b\"}"),
              HasSubstr("bento: 248 bytes; at most 247 are allowed"));
}

TEST(CreateRequestFromJson, ReadsWhatItWrote) {
  PrewarmView view;
  view.prewarm.spec.volume = "models";
  view.prewarm.spec.nodes.count = 3;
  view.prewarm.spec.deadline = *ParseRfc3339("2026-11-25T12:30:00.25Z");
  for (const bool with_deadline : {true, false}) {
    if (!with_deadline) view.prewarm.spec.deadline.reset();
    const boost::json::object body{{"spec", ToJson(view).at("spec")}};
    const auto request = CreateRequestFromJson(boost::json::serialize(body));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->spec, view.prewarm.spec);
  }
}

TEST(CreateRequestFromJson, TellsEverythingThatIsWrongAtOnce) {
  EXPECT_EQ(Problems(R"({
    "spec": {
      "volume": 5, "paths": ["a", 7, "b", null], "nodes": {"names": "n1", "labels": {"k": 1}, "count": -1},
      "priority": "high", "deadline": "tomorrow", "refuse_if_late": 1, "keep": "yes", "model": []
    },
    "idempotency_key": {}, "dry_run": true})"),
            "spec.volume: must be a text, not a number\n"
            "spec.paths[1]: must be a text, not a number\n"
            "spec.paths[3]: must be a text, not null\n"
            "spec.nodes.names: must be a list of texts, not a text\n"
            "spec.nodes.labels[\"k\"]: must be a text, not a number\n"
            "spec.nodes.count: -1 is not from 0 to 4294967295\n"
            "spec.priority: must be a whole number from 0 to 1000, not a text\n"
            "spec.deadline: \"tomorrow\" is not a time such as 2026-11-25T12:03:10Z, from 1970 to "
            "2261\n"
            "spec.refuse_if_late: must be true or false, not a number\n"
            "spec.keep: must be true or false, not a text\n"
            "spec.model: must be a text, not a list\n"
            "idempotency_key: must be a text, not an object\n"
            "dry_run: is not known here\n");
}

TEST(CreateRequestFromJson, HoldsNumbersToTheirRange) {
  const auto priority = [](const std::string& number) {
    return Problems(R"({"spec": {"volume": "m", "priority": )" + number + "}}");
  };
  EXPECT_EQ(priority("0"), "none");
  EXPECT_EQ(priority("1e3"), "none");
  EXPECT_EQ(priority("1001"), "spec.priority: 1001 is not from 0 to 1000\n");
  EXPECT_EQ(priority("-1"), "spec.priority: -1 is not from 0 to 1000\n");
  for (const auto* number : {"0.5", "1e300", "18446744073709551615", "99999999999999999999"}) {
    EXPECT_EQ(priority(number), "spec.priority: must be a whole number from 0 to 1000\n");
  }
}

TEST(CreateRequestFromJson, SuggestsWhatAnUnknownFieldMayHaveMeant) {
  EXPECT_EQ(Problems(R"({"spec": {"volume": "m", "prioritty": 1}})"),
            "spec.prioritty: is not known: did you mean priority?\n");
  EXPECT_EQ(Problems(R"({"spec": {"volume": "m", "nodes": {"label": {}}}})"),
            "spec.nodes.label: is not known: did you mean labels?\n");
  const std::string name(10'000, 'x');
  EXPECT_LT(Problems(R"({")" + name + R"(": 1, "spec": {"volume": "m"}})").size(), 200U);
}

TEST(CreateRequestFromJson, MissesWhatMustBeThere) {
  EXPECT_EQ(Problems("{}"), "spec: is missing\n");
  EXPECT_EQ(Problems(R"({"spec": {}})"), "spec.volume: is missing\n");
  EXPECT_EQ(Problems(R"({"spec": null})"), "spec: must be an object, not null\n");
  EXPECT_EQ(Problems("[]"), ": the document must be an object, not a list\n");
  EXPECT_THAT(Problems(R"({"spec": {"volume": "m", "priority": null}})"), HasSubstr("not null"));
}

TEST(CreateRequestFromJson, RefusesWhatIsNotJson) {
  const std::string deep(1000, '[');
  for (const std::string body :
       {"", "{", "nonsense", "{\"spec\": {}} x", "{\"spec\":\n {\"volume\": }}", "{'spec': {}}",
        "{\"spec\": {\"volume\": \"\xff\"}}", deep.c_str()}) {
    EXPECT_EQ(Problems(body), "malformed-json") << body;
  }
  EXPECT_THAT(CreateRequestFromJson("{\"a\": x}").error().detail, HasSubstr("at byte 6"));
}

TEST(ToJson, WritesAPrewarmWithEveryField) {
  PrewarmView view;
  auto& prewarm = view.prewarm;
  prewarm.id = "pw-1";
  prewarm.name_space = "team-a";
  prewarm.spec.volume = "models";
  prewarm.state = PrewarmState::kRunning;
  prewarm.created_at = *ParseRfc3339("2026-11-25T12:00:00Z");
  prewarm.files = 3;
  prewarm.generation = 1;
  NodeTask task;
  task.node = "node-1";
  task.state = TaskState::kRunning;
  task.progress = {
      .planned_blocks = 2, .planned_bytes = 100, .present_bytes = 30, .fetched_bytes = 20};
  view.tasks.push_back({task, *ParseRfc3339("2026-11-25T12:01:00Z")});
  view.forecast = Forecast{*ParseRfc3339("2026-11-25T12:01:00Z"), 70'500ms, 1'400'000'000, "late"};
  EXPECT_EQ(ToJson(view), boost::json::parse(R"({
    "id": "pw-1", "namespace": "team-a",
    "spec": {"volume": "models", "paths": [], "nodes": {"names": [], "labels": {}, "count": 0},
             "priority": 0, "deadline": null, "refuse_if_late": false, "keep": false, "model": ""},
    "state": "running", "reason": "", "message": "",
    "created_at": "2026-11-25T12:00:00Z", "ended_at": null,
    "progress": {"planned_bytes": 100, "stored_bytes": 50, "visible_bytes": 0, "fetched_bytes": 20,
                 "failed_blocks": 0, "bytes_per_second": 0},
    "tasks": [{"node": "node-1", "state": "running", "reason": "", "message": "",
               "progress": {"planned_bytes": 100, "stored_bytes": 50, "visible_bytes": 0,
                            "fetched_bytes": 20, "failed_blocks": 0, "bytes_per_second": 0},
               "eta": "2026-11-25T12:01:00Z", "visible_at": null}],
    "forecast": {"finish": "2026-11-25T12:01:00Z", "late": 70.5, "bytes_per_second": 1400000000,
                 "words": "late"},
    "superseded_by": "", "files": 3, "generation": 1, "workload": null, "targets": []})"));
  view.forecast->late = 70s;
  EXPECT_EQ(ToJson(view).at("forecast").at("late"), 70);
  view.forecast.reset();
  EXPECT_TRUE(ToJson(view).at("forecast").is_null());
}

TEST(ToJson, SaysForWhichWorkloadAndWhyOnTheseNodes) {
  PrewarmView view;
  auto& spec = view.prewarm.spec;
  spec.workload = WorkloadRef{"serving.yatai.ai/v2alpha1", "BentoDeployment", "chat", "uid-1"};
  spec.targets = {{"gpu-1", 700, "hpa-desired", "the autoscaler wants 4 replicas, 1 is bound"}};
  const auto document = ToJson(view);
  EXPECT_EQ(document.at("workload"), boost::json::parse(R"({
    "api_version": "serving.yatai.ai/v2alpha1", "kind": "BentoDeployment", "name": "chat"})"));
  EXPECT_EQ(document.at("targets"), boost::json::parse(R"([
    {"node": "gpu-1", "priority": 700, "signal": "hpa-desired",
     "why": "the autoscaler wants 4 replicas, 1 is bound"}])"));
}

}  // namespace
}  // namespace prewarm::controller
