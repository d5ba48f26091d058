#include "agent/tasks/release_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::agent {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint32_t kBlock = 4096;
constexpr auto kVolume = "volume-1";

SharedPlan Plan(std::vector<juicefs::BlockRun> runs) {
  return std::make_shared<const juicefs::BlockPlan>(*juicefs::BlockPlan::FromRuns(runs, kBlock));
}
SharedPlan PlanOf(std::uint64_t slice, std::uint32_t first = 0, std::uint32_t count = 4) {
  return Plan({{juicefs::SliceId(slice), 16 * kBlock, first, count}});
}
juicefs::BlockId Block(std::uint64_t slice, std::uint32_t index) {
  return {juicefs::SliceId(slice), index, kBlock};
}
std::vector<PublishedBlock> Published(std::size_t count) {
  std::vector<PublishedBlock> blocks;
  for (std::uint32_t i = 0; i < count; ++i) blocks.push_back({Block(1, i), 100 + i});
  return blocks;
}

TEST(BlockSet, KnowsTheBlocksOfItsPlansAndNoOthers) {
  const BlockSet set({PlanOf(7, 3, 2), Plan({{juicefs::SliceId(9), 16 * kBlock, 8, 1},
                                             {juicefs::SliceId(9), 16 * kBlock, 0, 2}})});
  for (const auto block : {Block(7, 3), Block(7, 4), Block(9, 0), Block(9, 1), Block(9, 8)}) {
    EXPECT_TRUE(set.Has(block)) << block.slice.value << " " << block.index;
  }
  for (const auto block : {Block(7, 2), Block(7, 5), Block(9, 2), Block(9, 7), Block(9, 9),
                           Block(8, 3), Block(1, 0), Block(10, 0)}) {
    EXPECT_FALSE(set.Has(block)) << block.slice.value << " " << block.index;
  }
}

TEST(ReleaseLedger, RemembersWhatWasPublishedBeyondTheTask) {
  ReleaseLedger ledger;
  ledger.SetNeeds("p", kVolume, PlanOf(1));
  ledger.AddPublished("p", Published(4));
  ledger.LetGo("p");
  ledger.SetNeeds("p", kVolume, PlanOf(2));
  ledger.SetNeeds("other", kVolume, PlanOf(3));
  ledger.SetNeeds("elsewhere", "volume-2", PlanOf(1));
  const auto inquiry = ledger.Take("p");
  EXPECT_THAT(inquiry.published, SizeIs(4));
  EXPECT_THAT(inquiry.needed, SizeIs(2)) << "names of another volume's blocks mean others";
  EXPECT_THAT(ledger.Take("p").published, IsEmpty());
  EXPECT_THAT(ledger.Take("nobody").published, IsEmpty());
}

TEST(ReleaseLedger, ForgetsWhatWasLetGoFirst) {
  ReleaseLedger ledger(20 * sizeof(PublishedBlock));
  ledger.SetNeeds("held", kVolume, PlanOf(1));
  ledger.AddPublished("held", Published(8));
  ledger.SetNeeds("gone", kVolume, PlanOf(2));
  ledger.AddPublished("gone", Published(8));
  ledger.LetGo("gone");
  ledger.SetNeeds("new", kVolume, PlanOf(3));
  ledger.AddPublished("new", Published(8));
  EXPECT_THAT(ledger.Take("gone").published, IsEmpty());
  EXPECT_THAT(ledger.Take("held").published, SizeIs(8));
}

TEST(ReleaseLedger, ReleasesNothingOnceAHeldTasksNeedsAreNotKnown) {
  ReleaseLedger ledger(12 * sizeof(PublishedBlock));
  ledger.SetNeeds("held", kVolume, PlanOf(1));
  ledger.AddPublished("held", Published(8));
  ledger.SetNeeds("new", kVolume, PlanOf(2));
  ledger.AddPublished("new", Published(8));
  EXPECT_THAT(ledger.Take("new").published, IsEmpty());
}

}  // namespace
}  // namespace prewarm::agent
