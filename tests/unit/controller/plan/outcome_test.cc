#include "controller/plan/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/unit/controller/plan_fixtures.h"

namespace prewarm::controller {
namespace {

using testing::HasSubstr;

const WallTime kNow{std::chrono::hours(1000)};

TEST(Outcome, SucceedsOnceEveryNodeSeesTheBlocks) {
  auto prewarm = APrewarm("p", APlan(3), {"a", "b"});
  EXPECT_EQ(Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible)), Effect::kDurable);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kNone);
  EXPECT_EQ(Absorb(prewarm, "b", AReport(prewarm, TaskState::kVisible)), Effect::kDurable);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kDurable);
  EXPECT_EQ(prewarm.state, PrewarmState::kSucceeded);
  EXPECT_EQ(prewarm.ended_at, kNow);
}

TEST(Outcome, FailsNamingTheNodesOnceAllHaveEnded) {
  auto prewarm = APrewarm("p", APlan(3), {"a", "b"});
  auto report = AReport(prewarm, TaskState::kFailed);
  report.message = "disk full";
  Absorb(prewarm, "b", report);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kNone) << "the other node goes on";
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible));
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kDurable);
  EXPECT_EQ(prewarm.state, PrewarmState::kFailed);
  EXPECT_THAT(prewarm.message, HasSubstr("1 of 2 nodes failed: b: disk full"));
}

TEST(Outcome, StoredIsNotSuccess) {
  auto prewarm = APrewarm("p", APlan(3), {"a"});
  auto stored = AReport(prewarm, TaskState::kStored);
  stored.visible_at = kNow + std::chrono::hours(1);
  Absorb(prewarm, "a", stored);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kNone);
  EXPECT_EQ(prewarm.tasks.at("a").state, TaskState::kStored);
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible));
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kDurable);
  EXPECT_EQ(prewarm.state, PrewarmState::kSucceeded);
}

TEST(Outcome, StoredWhereNobodyWillSeeItIsAFailureWithItsWords) {
  auto prewarm = APrewarm("p", APlan(3), {"a"});
  auto stored = AReport(prewarm, TaskState::kStored);
  stored.message = "mounted with --cache-scan-interval=0: remount it";
  Absorb(prewarm, "a", stored);
  Conclude(prewarm, kNow);
  EXPECT_EQ(prewarm.state, PrewarmState::kFailed);
  EXPECT_EQ(prewarm.tasks.at("a").reason, "not_visible");
  EXPECT_THAT(prewarm.message, HasSubstr("remount it"));
}

TEST(Outcome, IgnoresOlderGenerationsUnknownNodesAndWhatComesAfterTheEnd) {
  auto prewarm = APrewarm("p", APlan(3), {"a"});
  const auto old = AReport(prewarm, TaskState::kVisible);
  BeginGeneration(prewarm, APlan(4), true);
  EXPECT_EQ(Absorb(prewarm, "a", old), Effect::kNone);
  EXPECT_EQ(Absorb(prewarm, "b", AReport(prewarm, TaskState::kVisible)), Effect::kNone);
  End(prewarm, PrewarmState::kCancelled, "Cancelled", "", kNow);
  const auto ended = prewarm;
  EXPECT_EQ(Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible)), Effect::kNone);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kNone);
  EXPECT_EQ(End(prewarm, PrewarmState::kFailed, "x", "", kNow), Effect::kNone);
  EXPECT_EQ(prewarm, ended);
}

TEST(Outcome, WhatAnAgentGaveBackWaitsAgain) {
  auto prewarm = APrewarm("p", APlan(3), {"a"});
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kRunning));
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kCancelled));
  EXPECT_EQ(prewarm.tasks.at("a").state, TaskState::kWaiting);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kNone);
}

TEST(Outcome, ALostNodeFailsOnlyWhatItHadNotDone) {
  auto prewarm = APrewarm("p", APlan(3), {"a", "b"});
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible));
  EXPECT_EQ(GiveUpNode(prewarm, "a"), Effect::kNone);
  EXPECT_EQ(GiveUpNode(prewarm, "b"), Effect::kDurable);
  Conclude(prewarm, kNow);
  EXPECT_EQ(prewarm.state, PrewarmState::kFailed);
  EXPECT_EQ(prewarm.tasks.at("b").reason, "node_lost");
}

TEST(Outcome, ProgressAloneIsNotWrittenDown) {
  auto prewarm = APrewarm("p", APlan(3), {"a"});
  auto report = AReport(prewarm, TaskState::kRunning);
  report.progress.planned_bytes = 12 << 20;
  report.progress.fetched_bytes = 4 << 20;
  EXPECT_EQ(Absorb(prewarm, "a", report), Effect::kProgress);
  EXPECT_EQ(Absorb(prewarm, "a", report), Effect::kNone) << "said twice, it is no news";
  EXPECT_EQ(prewarm.tasks.at("a").progress.MissingBytes(), 8U << 20);
}

TEST(Outcome, AKeptPrewarmIsWarmUntilItsPlanChanges) {
  auto prewarm = APrewarm("p", APlan(3), {"a", "b"});
  prewarm.spec.keep = true;
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible));
  Absorb(prewarm, "b", AReport(prewarm, TaskState::kVisible));
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kDurable);
  EXPECT_EQ(prewarm.state, PrewarmState::kWarm);
  EXPECT_EQ(Conclude(prewarm, kNow), Effect::kNone);
  BeginGeneration(prewarm, APlan(4), false);
  EXPECT_EQ(prewarm.state, PrewarmState::kRunning);
  EXPECT_EQ(prewarm.tasks.at("a").state, TaskState::kWaiting);
  EXPECT_EQ(prewarm.tasks.at("a").generation, prewarm.generation);
}

TEST(Outcome, ANewPlanOfAnOrdinaryPrewarmLeavesWhatIsDone) {
  auto prewarm = APrewarm("p", APlan(3), {"a", "b"});
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible));
  const auto first = prewarm.generation;
  BeginGeneration(prewarm, APlan(4), true);
  EXPECT_EQ(prewarm.tasks.at("a").state, TaskState::kVisible);
  EXPECT_EQ(prewarm.tasks.at("a").generation, first);
  EXPECT_EQ(prewarm.tasks.at("b").generation, prewarm.generation);
}

Prewarm ForAWorkload(std::vector<NodeTarget> targets, const std::vector<std::string>& tasks) {
  auto prewarm = APrewarm("p", APlan(3), tasks);
  prewarm.spec.keep = true;
  prewarm.spec.workload = WorkloadRef{"apps/v1", "Deployment", "chat", "uid"};
  prewarm.spec.targets = std::move(targets);
  return prewarm;
}

TEST(GoToTargets, GivesATaskToEachTargetWhoseAgentIsThere) {
  auto prewarm = ForAWorkload({{"a", 1, "", ""}, {"b", 1, "", ""}}, {});
  EXPECT_EQ(GoToTargets(prewarm, {"a", "c"}, APlan(3)), Effect::kDurable);
  EXPECT_EQ(prewarm.tasks.size(), 1U);
  EXPECT_EQ(prewarm.tasks.at("a").state, TaskState::kWaiting);
  EXPECT_EQ(GoToTargets(prewarm, {"a", "c"}, APlan(3)), Effect::kNone);
  Absorb(prewarm, "a", AReport(prewarm, TaskState::kVisible));
  Conclude(prewarm, kNow);
  EXPECT_EQ(prewarm.state, PrewarmState::kRunning) << "b is still to come";
}

TEST(GoToTargets, TakesTheTaskOfANodeThatIsNoTargetAnyMore) {
  auto prewarm = ForAWorkload({{"b", 1, "", ""}}, {"a", "b"});
  EXPECT_EQ(GoToTargets(prewarm, {"a", "b"}, APlan(3)), Effect::kDurable);
  EXPECT_FALSE(prewarm.tasks.contains("a"));
  EXPECT_TRUE(prewarm.tasks.contains("b"));
}

TEST(GoToTargets, BeginsAnewOnANodeWhoseAgentCameBack) {
  auto prewarm = ForAWorkload({{"a", 1, "", ""}}, {"a"});
  GiveUpNode(prewarm, "a");
  EXPECT_EQ(GoToTargets(prewarm, {}, APlan(3)), Effect::kNone) << "it is still away";
  EXPECT_EQ(GoToTargets(prewarm, {"a"}, APlan(3)), Effect::kDurable);
  EXPECT_EQ(prewarm.tasks.at("a").state, TaskState::kWaiting);
  prewarm.tasks.at("a").state = TaskState::kFailed;
  prewarm.tasks.at("a").reason = "no_space";
  EXPECT_EQ(GoToTargets(prewarm, {"a"}, APlan(3)), Effect::kNone)
      << "what failed for another reason would fail again";
}

TEST(RankOf, IsThatOfTheTargetWhereThereIsOne) {
  const auto prewarm = ForAWorkload({{"a", 900, "", ""}}, {"a"});
  EXPECT_EQ(RankOf(prewarm, "a").priority, 900);
  EXPECT_EQ(RankOf(prewarm, "b").priority, prewarm.spec.priority);
}

}  // namespace
}  // namespace prewarm::controller
