#include "controller/jobs/prewarm_conditions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "controller/jobs/prewarm_object.h"
#include "controller/plan/outcome.h"

namespace prewarm::controller {
namespace {

constexpr WallTime kNoon{std::chrono::hours(500'000)};

NodeTask At(TaskState state, std::uint64_t planned, std::uint64_t fetched) {
  NodeTask task;
  task.state = state;
  task.progress.planned_bytes = planned;
  task.progress.fetched_bytes = fetched;
  return task;
}

Prewarm Running() {
  Prewarm prewarm;
  prewarm.name_space = "team";
  prewarm.id = "team.p";
  prewarm.spec.volume = "models";
  prewarm.state = PrewarmState::kRunning;
  prewarm.created_at = kNoon;
  prewarm.tasks["a"] = At(TaskState::kVisible, 100, 100);
  prewarm.tasks["b"] = At(TaskState::kStored, 100, 100);
  prewarm.tasks["c"] = At(TaskState::kRunning, 100, 70);
  return prewarm;
}

// "True AllStored"
std::string Of(const Prewarm& prewarm, const std::string& type) {
  for (const auto& condition : PrewarmConditions(prewarm)) {
    if (condition.type == type) return condition.status + " " + condition.reason;
  }
  return "absent";
}

TEST(PrewarmConditions, SayHowFarItIs) {
  const auto prewarm = Running();
  EXPECT_EQ(Of(prewarm, "Accepted"), "True Accepted");
  EXPECT_EQ(Of(prewarm, "Stored"), "False Fetching");
  EXPECT_EQ(Of(prewarm, "Visible"), "False NotEverywhere");
  EXPECT_EQ(Of(prewarm, "Complete"), "False Running");
  EXPECT_EQ(Of(prewarm, "Failed"), "False NotFailed");
  EXPECT_EQ(Of(prewarm, "OnTime"), "absent");
}

TEST(PrewarmConditions, AreStoredBeforeTheyAreVisible) {
  auto prewarm = Running();
  prewarm.tasks["c"] = At(TaskState::kStored, 100, 100);
  EXPECT_EQ(Of(prewarm, "Stored"), "True AllStored");
  EXPECT_EQ(Of(prewarm, "Visible"), "False NotEverywhere");
  for (auto& [node, task] : prewarm.tasks) task.state = TaskState::kVisible;
  EXPECT_EQ(Of(prewarm, "Visible"), "True AllVisible");
}

TEST(PrewarmConditions, OfNoNodeAreNotTrue) {
  auto prewarm = Running();
  prewarm.tasks.clear();
  EXPECT_EQ(Of(prewarm, "Stored"), "False Fetching");
  EXPECT_EQ(Of(prewarm, "Visible"), "False NotEverywhere");
}

TEST(PrewarmConditions, SayHowItEnded) {
  auto failed = Running();
  End(failed, PrewarmState::kFailed, "NodesFailed", "c: disk full", kNoon);
  EXPECT_EQ(Of(failed, "Failed"), "True NodesFailed");
  EXPECT_EQ(Of(failed, "Complete"), "False NodesFailed");
  auto succeeded = Running();
  for (auto& [node, task] : succeeded.tasks) task.state = TaskState::kVisible;
  Conclude(succeeded, kNoon);
  EXPECT_EQ(Of(succeeded, "Complete"), "True AllVisible");
  EXPECT_EQ(Of(succeeded, "Failed"), "False NotFailed");
  auto refused = Running();
  End(refused, PrewarmState::kFailed, "Refused", "there is no volume x", kNoon);
  EXPECT_EQ(Of(refused, "Accepted"), "False Refused");
}

TEST(PrewarmConditions, CompareTheForecastWithTheDeadline) {
  auto prewarm = Running();
  prewarm.spec.deadline = kNoon;
  EXPECT_EQ(Of(prewarm, "OnTime"), "Unknown NoForecast");
  prewarm.expected_at = kNoon - std::chrono::seconds(1);
  EXPECT_EQ(Of(prewarm, "OnTime"), "True InTime");
  prewarm.expected_at = kNoon + std::chrono::seconds(1);
  EXPECT_EQ(Of(prewarm, "OnTime"), "False Late");
  End(prewarm, PrewarmState::kSucceeded, "AllVisible", "", kNoon + std::chrono::seconds(1));
  EXPECT_EQ(Of(prewarm, "OnTime"), "False Missed");
}

TEST(PrewarmConditions, HaveReasonsThatTheApiServerTakes) {
  for (int state = 0; state <= static_cast<int>(PrewarmState::kSuperseded); ++state) {
    auto prewarm = Running();
    prewarm.state = static_cast<PrewarmState>(state);
    prewarm.spec.deadline = kNoon;
    for (const auto& condition : PrewarmConditions(prewarm)) {
      EXPECT_THAT(condition.reason, testing::MatchesRegex("[A-Za-z]+")) << condition.type;
    }
  }
}

TEST(PrewarmProgress, IsASumThatNeverSaysMoreThanIsThere) {
  const auto progress = ProgressOf(Running());
  EXPECT_EQ(progress.planned_bytes, 300);
  EXPECT_EQ(progress.stored_bytes, 270);
  EXPECT_EQ(progress.visible_bytes, 100);
  EXPECT_EQ(progress.Percent(), 90);
  auto almost = Running();
  almost.tasks = {{"a", At(TaskState::kRunning, 1'000'000, 999'999)}};
  EXPECT_EQ(ProgressOf(almost).Percent(), 99);
}

TEST(PrewarmProgress, FitsIntoTheApisIntegersWhateverAgentsSay) {
  auto prewarm = Running();
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  prewarm.tasks = {{"a", At(TaskState::kRunning, kMost, kMost)},
                   {"b", At(TaskState::kVisible, kMost, 0)}};
  constexpr auto kStorable = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(ProgressOf(prewarm).planned_bytes, kStorable);
  EXPECT_EQ(ProgressOf(prewarm).Percent(), 100);
}

TEST(PrewarmStatus, KeepsTheMomentsOfWhatDidNotChange) {
  auto prewarm = Running();
  const StatusContext first{1, 1, {}, kNoon};
  auto before = kube::ReadConditions(PrewarmStatusObject(prewarm, first));
  End(prewarm, PrewarmState::kFailed, "NodesFailed", "", kNoon);
  const StatusContext second{1, 2, before, kNoon + std::chrono::hours(1)};
  const auto after = kube::ReadConditions(PrewarmStatusObject(prewarm, second));
  for (const auto& condition : after) {
    const bool changed = condition.type == "Failed";
    EXPECT_EQ(condition.since, changed ? kNoon + std::chrono::hours(1) : kNoon) << condition.type;
    EXPECT_EQ(condition.observed_generation, 2);
  }
}

}  // namespace
}  // namespace prewarm::controller
