#include "controller/plan/model.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/unit/controller/plan_fixtures.h"

namespace prewarm::controller {
namespace {

TEST(PrewarmSpec, OfTheSameModelSharesItsKeyWhateverThePaths) {
  PrewarmSpec a;
  a.volume = "models";
  a.model = "llama";
  auto b = a;
  b.paths = {"llama/v2"};
  b.priority = 7;
  EXPECT_EQ(a.ModelKey(), b.ModelKey());
  b.model = "mistral";
  EXPECT_NE(a.ModelKey(), b.ModelKey());
}

TEST(PrewarmSpec, WithoutAModelIsKnownByVolumeAndPathsInAnyOrder) {
  PrewarmSpec a;
  a.volume = "models";
  a.paths = {"x", "y"};
  auto b = a;
  b.paths = {"y", "x", "x"};
  EXPECT_EQ(a.ModelKey(), b.ModelKey());
  b.volume = "other";
  EXPECT_NE(a.ModelKey(), b.ModelKey());
}

TEST(PrewarmSpec, GivesDifferentKeysToWhatOnlyLooksAlikeWhenJoined) {
  std::set<std::string> keys;
  const std::vector<std::vector<std::string>> lists{{},      {""},           {"a", "b"}, {"ab"},
                                                    {"a,b"}, {"a", "b", ""}, {"1:a1:b"}, {"a1:b"}};
  for (const auto& paths : lists) {
    PrewarmSpec spec;
    spec.volume = "v";
    spec.paths = paths;
    keys.insert(spec.ModelKey());
  }
  PrewarmSpec named;
  named.model = "v";
  keys.insert(named.ModelKey());
  EXPECT_EQ(keys.size(), lists.size() + 1);
}

TEST(States, AreFoundByTheirNames) {
  for (int i = 0; i <= static_cast<int>(PrewarmState::kSuperseded); ++i) {
    const auto state = static_cast<PrewarmState>(i);
    EXPECT_EQ(PrewarmStateNamed(StateName(state)), state);
  }
  for (int i = 0; i <= static_cast<int>(TaskState::kCancelled); ++i) {
    const auto state = static_cast<TaskState>(i);
    EXPECT_EQ(TaskStateNamed(StateName(state)), state);
  }
  EXPECT_EQ(StateName(PrewarmState::kSuperseded), "superseded");
  EXPECT_EQ(StateName(TaskState::kCancelled), "cancelled");
  EXPECT_EQ(PrewarmStateNamed("Running"), std::nullopt);
  EXPECT_EQ(TaskStateNamed(""), std::nullopt);
}

TEST(TaskProgress, MissesWhatIsNeitherPresentNorFetched) {
  TaskProgress progress;
  progress.planned_bytes = 100;
  EXPECT_EQ(progress.MissingBytes(), 100U);
  progress.present_bytes = 30;
  progress.fetched_bytes = 20;
  EXPECT_EQ(progress.MissingBytes(), 50U);
  progress.fetched_bytes = 200;
  EXPECT_EQ(progress.MissingBytes(), 0U);
  progress.fetched_bytes = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(progress.MissingBytes(), 0U) << "numbers of an agent are not to be trusted to add up";
}

TEST(ResolvedPlan, HasAHashOfItsBlocksAlone) {
  auto same = APlan(3);
  same.files = 99;
  EXPECT_EQ(APlan(3).Hash(), same.Hash());
  EXPECT_NE(APlan(3).Hash(), APlan(4).Hash());
  EXPECT_NE(APlan(3, 1).Hash(), APlan(3, 2).Hash());
  // Kept in stores of other versions: must never change.
  EXPECT_EQ(APlan(3).Hash(), 10'500'815'309'841'771'943ULL);
}

TEST(Node, AddsItsDirectoriesUp) {
  Node node;
  node.directories = {{"/a", 100, 10, "nvme"}, {"/b", 200, 20, "nvme"}};
  EXPECT_EQ(node.CapacityBytes(), 300U);
  EXPECT_EQ(node.AvailableBytes(), 30U);
  node.directories[0].available_bytes = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(node.AvailableBytes(), std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace prewarm::controller
