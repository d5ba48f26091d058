#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <set>
#include <string>
#include <vector>

#include "agent/warm/committer.h"
#include "agent/warm/presence.h"
#include "common/async/task_group.h"

namespace prewarm::agent {
namespace {

// A cache that only keeps names, and how they arrived.
class NamesOnlyCache final : public BlockCache {
 public:
  [[nodiscard]] std::size_t directory_count() const override { return 2; }
  Result<std::vector<DirectoryUsage>> Usage() override { return std::vector<DirectoryUsage>(2); }
  [[nodiscard]] std::size_t DirectoryOf(juicefs::BlockId block) const override {
    return block.index % 2;
  }
  Result<BlockState> StateOf(juicefs::BlockId block) override {
    if (block.index == unreadable) return Fail(ErrorCode::kInternal, "EIO", Reason::kDiskError);
    return present.contains(block.index) ? BlockState::kWhole : BlockState::kAbsent;
  }
  Result<int> OpenBlock(juicefs::BlockId) override { return Fail(ErrorCode::kNotFound, ""); }
  Result<SpaceReservation> Reserve(juicefs::BlockId) override { return SpaceReservation(); }
  Result<StagedBlock> Stage(juicefs::BlockId block, std::span<std::byte>, std::size_t,
                            SpaceReservation) override {
    return StagedBlock(-1, 0, block);
  }
  std::vector<Result<Published>> Publish(std::vector<StagedBlock> blocks) override {
    batches.push_back(blocks.size());
    std::vector<Result<Published>> results;
    for (const auto& block : blocks) {
      if (block.block().index == 13) {
        results.emplace_back(Fail(ErrorCode::kInternal, "unlucky", Reason::kDiskError));
      } else {
        results.emplace_back(Published::kStored);
      }
    }
    return results;
  }
  Result<bool> Remove(juicefs::BlockId, std::uint64_t) override { return false; }

  std::set<std::uint32_t> present;
  std::uint32_t unreadable = ~0U;
  std::vector<std::size_t> batches;  // touched by one publisher at a time
};

juicefs::BlockId Block(std::uint32_t index) { return {juicefs::SliceId{1}, index, 4096}; }

Task<void> CommitOne(Committer& committer, std::uint32_t index, int& stored, int& failed) {
  auto result = co_await committer.Commit(StagedBlock(-1, 0, Block(index)));
  ++(result ? stored : failed);
}

TEST(Committer, GivesEachBlockItsOwnAnswerAndSharesSyncs) {
  boost::asio::io_context loop;
  boost::asio::thread_pool pool(2);
  NamesOnlyCache cache;
  Committer committer(cache, pool);
  TaskGroup group(loop.get_executor());
  int stored = 0;
  int failed = 0;
  for (std::uint32_t i = 0; i < 20; ++i) committer.Announce();
  for (std::uint32_t i = 0; i < 20; ++i) {
    group.Spawn("commit", CommitOne(committer, i, stored, failed));
  }
  loop.run();
  pool.join();
  EXPECT_EQ(stored, 19);
  EXPECT_EQ(failed, 1);
  EXPECT_LE(cache.batches.size(), 3U);
}

TEST(Committer, DoesNotKeepALonelyBlockWaiting) {
  boost::asio::io_context loop;
  boost::asio::thread_pool pool(1);
  NamesOnlyCache cache;
  Committer committer(cache, pool);
  TaskGroup group(loop.get_executor());
  int stored = 0;
  int failed = 0;
  committer.Announce();
  group.Spawn("commit", CommitOne(committer, 1, stored, failed));
  loop.run();
  EXPECT_EQ(stored, 1);
}

TEST(Committer, SendsABatchOnWhenTheLastAnnouncedBlockFails) {
  boost::asio::io_context loop;
  boost::asio::thread_pool pool(1);
  NamesOnlyCache cache;
  Committer committer(cache, pool);
  TaskGroup group(loop.get_executor());
  int stored = 0;
  int failed = 0;
  committer.Announce();
  committer.Announce();
  group.Spawn("commit", CommitOne(committer, 1, stored, failed));
  loop.poll();
  EXPECT_EQ(stored, 0);
  committer.AnnounceFailed();
  loop.run();
  EXPECT_EQ(stored, 1);
}

juicefs::FileSlices OneSlice(std::uint32_t blocks) {
  return {
      "f", juicefs::Inode{1}, 1 << 30, {{0, juicefs::SliceId{1}, blocks * 4096, 0, blocks * 4096}}};
}

TEST(Presence, FindsWhatIsThereAndWhereTheRestGoes) {
  NamesOnlyCache cache;
  cache.present = {0, 3, 64, 99};
  const juicefs::BlockPlan plan(std::vector{OneSlice(100)}, 4096);
  Presence presence(plan.block_count());
  auto work = ScanPresence(cache, plan, 0, 64, presence);
  ASSERT_TRUE(work);
  const auto rest = ScanPresence(cache, plan, 64, 100, presence);
  ASSERT_TRUE(rest);
  work->Add(*rest);
  EXPECT_EQ(work->present_blocks, 4U);
  EXPECT_EQ(work->missing_blocks, 96U);
  EXPECT_EQ(work->missing_bytes, 96U * 4096);
  EXPECT_EQ(work->directories[0].missing_blocks, 48U);  // even numbers but 0 and 64
  EXPECT_EQ(work->directories[1].missing_blocks, 48U);  // odd numbers but 3 and 99

  WorkCursor cursor(plan, presence);
  std::set<std::uint64_t> handed_out;
  while (const auto number = cursor.Next()) EXPECT_TRUE(handed_out.insert(*number).second);
  EXPECT_EQ(handed_out.size(), 96U);
  EXPECT_FALSE(handed_out.contains(64));
}

TEST(Presence, ReportsACacheThatCannotBeRead) {
  NamesOnlyCache cache;
  cache.unreadable = 5;
  const juicefs::BlockPlan plan(std::vector{OneSlice(10)}, 4096);
  Presence presence(plan.block_count());
  const auto work = ScanPresence(cache, plan, 0, 10, presence);
  ASSERT_FALSE(work);
  EXPECT_EQ(work.error().reason, Reason::kDiskError);
}

}  // namespace
}  // namespace prewarm::agent
