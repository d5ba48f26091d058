#include "controller/api/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "controller/api/progress_view.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

v1::CreatePrewarmRequest GoodRequest() {
  v1::CreatePrewarmRequest request;
  auto& spec = *request.mutable_spec();
  spec.set_volume("models");
  spec.add_paths("llama/current");
  spec.mutable_nodes()->add_names("gpu-1");
  (*spec.mutable_nodes()->mutable_labels())["zone"] = "a";
  spec.mutable_nodes()->set_count(3);
  spec.set_priority(1000);
  spec.mutable_deadline()->set_seconds(1'800'000'000);
  spec.mutable_deadline()->set_nanos(500'000'000);
  spec.set_refuse_if_late(true);
  spec.set_keep(true);
  spec.set_model("llama");
  request.set_idempotency_key("release-7");
  return request;
}

std::vector<std::string> WrongFields(const v1::CreatePrewarmRequest& request) {
  std::vector<std::string> fields;
  const auto result = FromWire(request);
  if (!result) {
    for (const auto& problem : result.error().fields) fields.push_back(problem.field);
  }
  return fields;
}

TEST(Wire, ReadsEveryFieldOfARequest) {
  const auto request = FromWire(GoodRequest());
  ASSERT_TRUE(request);
  PrewarmSpec expected;
  expected.volume = "models";
  expected.paths = {"llama/current"};
  expected.nodes = {{"gpu-1"}, {{"zone", "a"}}, 3};
  expected.priority = 1000;
  expected.deadline = WallTime(std::chrono::milliseconds(1'800'000'000'500));
  expected.refuse_if_late = true;
  expected.keep = true;
  expected.model = "llama";
  EXPECT_EQ(request->spec, expected);
  EXPECT_EQ(request->idempotency_key, "release-7");
}

TEST(Wire, TakesABentoInPlaceOfPaths) {
  auto request = GoodRequest();
  request.set_bento("chat:k6v2");
  EXPECT_THAT(WrongFields(request), ElementsAre("spec.volume", "spec.paths", "spec.model"));
  request.mutable_spec()->clear_volume();
  request.mutable_spec()->clear_paths();
  request.mutable_spec()->clear_model();
  const auto read = FromWire(request);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bento, "chat:k6v2");
  EXPECT_EQ(read->spec.nodes.count, 3U);
}

TEST(Wire, SaysWhatWasAskedAsItWasAsked) {
  const auto request = FromWire(GoodRequest());
  ASSERT_TRUE(request);
  PrewarmView view;
  view.prewarm.spec = request->spec;
  v1::Prewarm message;
  ToWire(view, message);
  EXPECT_EQ(message.spec().SerializeAsString().size(),
            GoodRequest().spec().SerializeAsString().size());
  EXPECT_EQ(message.spec().deadline().nanos(), 500'000'000);
  EXPECT_EQ(message.spec().nodes().labels().at("zone"), "a");
}

TEST(Wire, SaysForWhichWorkloadAndWhyOnTheseNodes) {
  PrewarmView view;
  v1::Prewarm asked;
  ToWire(view, asked);
  EXPECT_FALSE(asked.has_workload());
  view.prewarm.spec.workload = WorkloadRef{"apps/v1", "Deployment", "chat", "uid-1"};
  view.prewarm.spec.targets = {{"gpu-1", 700, "hpa-desired", "4 replicas wanted"}};
  v1::Prewarm message;
  ToWire(view, message);
  EXPECT_EQ(message.workload().kind(), "Deployment");
  ASSERT_EQ(message.targets_size(), 1);
  EXPECT_EQ(message.targets(0).node(), "gpu-1");
  EXPECT_EQ(message.targets(0).priority(), 700);
  EXPECT_EQ(message.targets(0).signal(), "hpa-desired");
  EXPECT_EQ(message.targets(0).why(), "4 replicas wanted");
}

TEST(Wire, NamesAllWrongFieldsAtOnce) {
  auto request = GoodRequest();
  auto& spec = *request.mutable_spec();
  spec.set_volume("");
  spec.add_paths(std::string("a\0b", 3));
  spec.add_paths(std::string(kMaxPathBytes + 1, 'x'));
  spec.add_paths("");
  spec.mutable_nodes()->add_names("gpu-1");
  (*spec.mutable_nodes()->mutable_labels())["zone"] = "line\nbreak";
  spec.set_priority(-1);
  spec.mutable_deadline()->set_nanos(-1);
  request.set_idempotency_key(std::string(kMaxIdempotencyKeyBytes + 1, 'k'));
  EXPECT_THAT(WrongFields(request),
              ElementsAre("spec.deadline", "spec.volume", "spec.paths[1]", "spec.paths[2]",
                          "spec.paths[3]", "spec.nodes.names[1]", "spec.nodes.labels[\"zone\"]",
                          "spec.priority", "idempotency_key"));
}

TEST(Wire, RefusesTimesThatTheClockCannotHold) {
  auto request = GoodRequest();
  for (const std::int64_t seconds : {-1L, 9'223'372'037L, 253'402'300'799L}) {
    request.mutable_spec()->mutable_deadline()->set_seconds(seconds);
    EXPECT_THAT(WrongFields(request), ElementsAre("spec.deadline")) << seconds;
  }
  request.mutable_spec()->mutable_deadline()->set_seconds(9'000'000'000);
  EXPECT_THAT(WrongFields(request), SizeIs(0));
}

TEST(Wire, ChecksPages) {
  v1::ListPrewarmsRequest list;
  EXPECT_EQ(FromWire(list)->page.size, 50U);
  list.set_page_size(500);
  list.set_page_token("next");
  EXPECT_EQ(FromWire(list)->page.size, 500U);
  EXPECT_EQ(FromWire(list)->page.token, "next");
  list.set_page_size(501);
  list.set_state(static_cast<v1::PrewarmState>(99));
  const auto wrong = FromWire(list);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().fields, SizeIs(2));
  v1::ListFilesRequest files;
  files.set_volume("models");
  EXPECT_EQ(FromWire(files)->page.size, 100U);
  files.set_page_size(1001);
  EXPECT_FALSE(FromWire(files));
}

TEST(Wire, DemandsNames) {
  EXPECT_FALSE(FromWire(v1::GetPrewarmRequest()));
  EXPECT_FALSE(FromWire(v1::CancelPrewarmRequest()));
  EXPECT_FALSE(FromWire(v1::GetNodeRequest()));
  EXPECT_FALSE(FromWire(v1::GetVolumeRequest()));
  EXPECT_FALSE(FromWire(v1::ListFilesRequest()));
}

TEST(SpecRules, TellsTheFirstProblemsOfMany) {
  PrewarmSpec spec;
  spec.volume = "models";
  spec.paths.assign(kMaxPaths, "");
  FieldProblems problems;
  CheckSpec(spec, "", problems);
  const auto problem = std::move(problems).ToProblem();
  EXPECT_EQ(problem.kind, ProblemKind::kInvalid);
  EXPECT_THAT(problem.fields, SizeIs(kMaxFieldProblems));
  EXPECT_EQ(problem.fields.front().field, "paths[0]");
  EXPECT_THAT(problem.detail, testing::HasSubstr("1000 fields"));
}

TEST(SpecRules, BoundsLists) {
  PrewarmSpec spec;
  spec.volume = "models";
  spec.paths.assign(kMaxPaths + 1, "a");
  spec.nodes.names.assign(kMaxNodeNames + 1, "n");
  for (std::size_t i = 0; i <= kMaxLabels; ++i) spec.nodes.labels[std::to_string(i)] = "x";
  FieldProblems problems;
  CheckSpec(spec, "spec.", problems);
  const auto fields = std::move(problems).ToProblem().fields;
  ASSERT_THAT(fields, SizeIs(3));
  EXPECT_EQ(fields[0].field, "spec.paths");
  EXPECT_EQ(fields[1].field, "spec.nodes.names");
  EXPECT_EQ(fields[2].field, "spec.nodes.labels");
}

TEST(SpecRules, RefusingWhatIsLateNeedsADeadline) {
  PrewarmSpec spec;
  spec.volume = "models";
  spec.refuse_if_late = true;
  FieldProblems problems;
  CheckSpec(spec, "spec.", problems);
  EXPECT_EQ(std::move(problems).ToProblem().fields.front().field, "spec.refuse_if_late");
}

TEST(ProgressView, CountsAsVisibleOnlyWhatIsVisible) {
  TaskView visible;
  visible.task.node = "a";
  visible.task.state = TaskState::kVisible;
  visible.task.progress.planned_bytes = 100;
  visible.task.progress.present_bytes = 60;
  visible.task.progress.fetched_bytes = 40;
  auto stored = visible;
  stored.task.state = TaskState::kStored;
  EXPECT_EQ(ProgressOf(std::vector{visible, stored}), (ProgressView{200, 200, 100, 80, 0, 0}));
}

}  // namespace
}  // namespace prewarm::controller
