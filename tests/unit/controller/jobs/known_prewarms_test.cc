#include "controller/jobs/known_prewarms.h"

#include <gtest/gtest.h>

namespace prewarm::controller {
namespace {

PrewarmObject Object(int priority, std::uint64_t generation) {
  PrewarmObject object;
  object.prewarm.id = "team.p";
  object.prewarm.spec.volume = "models";
  object.prewarm.spec.priority = priority;
  object.generation = generation;
  return object;
}

TEST(KnownPrewarms, LeaveTheSpecToItsUser) {
  KnownPrewarms known;
  known.Take(Object(1, 1));
  auto ours = Object(1, 1).prewarm;
  known.Take(Object(9, 2));  // edited by its user
  EXPECT_FALSE(known.IsSpecToWrite(ours)) << "an edit must not be written back";
  EXPECT_EQ(known.ContextOf(ours.id, 1, WallTime()).observed_generation, 1);
}

TEST(KnownPrewarms, HaveObservedAnEditOnceItIsTakenIn) {
  KnownPrewarms known;
  known.Take(Object(1, 1));
  const auto taken = Object(9, 2).prewarm;
  EXPECT_TRUE(known.IsEdited(taken)) << "it was not read here yet";
  known.Take(Object(9, 2));
  EXPECT_FALSE(known.IsSpecToWrite(taken)) << "the object says it already";
  known.Hold(taken);
  EXPECT_EQ(known.ContextOf(taken.id, 1, WallTime()).observed_generation, 2);
}

TEST(KnownPrewarms, WriteWhatTheLeaderDecided) {
  KnownPrewarms known;
  auto made = Object(1, 1);
  made.prewarm.spec.workload = WorkloadRef{"apps/v1", "Deployment", "chat", "u-1"};
  known.Take(made);
  auto decided = made.prewarm;
  decided.spec.priority = 5;
  EXPECT_TRUE(known.IsSpecToWrite(decided));
  EXPECT_FALSE(known.IsEdited(decided));
  made.prewarm = decided;
  made.generation = 2;
  known.Take(made);  // the answer to that write
  known.Hold(decided);
  EXPECT_FALSE(known.IsSpecToWrite(decided));
  EXPECT_EQ(known.ContextOf(decided.id, 1, WallTime()).observed_generation, 2);
}

}  // namespace
}  // namespace prewarm::controller
