// Room is taken before a block is fetched and given back however its story ends.
#include "agent/cache/space_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <utility>

#include "common/base/units.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;
using rig::ABlock;
using testing::HasSubstr;

class Share : public testing::Test {
 protected:
  static constexpr std::uint32_t kBlock = 100000;
  static constexpr std::uint64_t kCost = kBlock + 4096;

  std::unique_ptr<BlockCache> OpenWith(std::uint64_t cache_size) {
    auto options = rig::CacheAt({folder_ / "cache"});
    options.cache_size = cache_size;
    return *BlockCache::Open(options);
  }
  rig::TempDir folder_;
};

TEST_F(Share, IsRefusedWhenReservationsFillIt) {
  auto cache = OpenWith(2 * kCost);
  auto first = cache->Reserve(ABlock(1, 0, kBlock));
  {
    auto second = cache->Reserve(ABlock(2, 0, kBlock));
    ASSERT_TRUE(second);
    const auto third = cache->Reserve(ABlock(3, 0, kBlock));
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, ErrorCode::kNoSpace);
    EXPECT_EQ(third.error().reason, Reason::kNoSpace);
    EXPECT_THAT(third.error().message, HasSubstr("cache size"));
  }
  EXPECT_TRUE(cache->Reserve(ABlock(3, 0, kBlock)));
}

TEST_F(Share, CountsPublishedBlocksAndGivesBackDroppedOnes) {
  auto cache = OpenWith(2 * kCost);
  ASSERT_TRUE(rig::StageBlock(*cache, ABlock(1, 0, kBlock)));  // dropped
  ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(1, 0, kBlock)));
  ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(1, 0, kBlock)));  // already there: costs nothing
  ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(2, 0, kBlock)));
  EXPECT_FALSE(cache->Reserve(ABlock(3, 0, kBlock)));
  const auto usage = *cache->Usage();
  EXPECT_EQ(usage[0].cached_blocks, 2U);
  EXPECT_EQ(usage[0].cached_bytes, 2 * kCost);
  EXPECT_EQ(usage[0].capacity_bytes, 2 * kCost);
}

TEST_F(Share, CountsWhatWasCachedBeforeUsByNames) {
  {
    auto cache = OpenWith(1_GiB);
    for (std::uint64_t slice = 1; slice <= 10; ++slice) {
      ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(slice * 777, 0, kBlock)));
    }
  }
  fs::create_directories(folder_.path() / "cache" / rig::kUuid / "raw" / "probe");
  auto full = OpenWith(10 * kCost);
  EXPECT_FALSE(full->Reserve(ABlock(1, 0, kBlock)));
  EXPECT_EQ((*full->Usage())[0].cached_blocks, 10U);
  auto roomy = OpenWith(11 * kCost);
  EXPECT_TRUE(roomy->Reserve(ABlock(1, 0, kBlock)));
}

TEST_F(Share, IsCountedAnewAfterAnEviction) {
  auto cache = OpenWith(kCost);
  ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(1, 0, kBlock)));
  EXPECT_FALSE(cache->Reserve(ABlock(2, 0, kBlock)));
  fs::remove_all(folder_.path() / "cache" / rig::kUuid / "raw");
  ASSERT_TRUE(cache->Usage());
  EXPECT_TRUE(cache->Reserve(ABlock(2, 0, kBlock)));
}

class FakeClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override {
    if (meanwhile) std::exchange(meanwhile, nullptr)();
    return now;
  }
  [[nodiscard]] WallTime WallNow() const override { return {}; }
  SteadyTime now{};
  mutable std::function<void()> meanwhile;  // what another thread does when the time is asked
};

TEST(CapacityShare, RecountsBeforeItRefusesUnlessItJustDid) {
  FakeClock clock;
  int counts = 0;
  CachedBlocks cached{1, 100};
  CapacityShare share(
      100, "dir", [&]() -> Result<CachedBlocks> { return ++counts, cached; }, clock);
  EXPECT_FALSE(share.Take(10));
  cached.bytes = 0;
  EXPECT_FALSE(share.Take(10));
  EXPECT_EQ(counts, 1);
  clock.now += std::chrono::seconds(11);
  EXPECT_TRUE(share.Take(10));
  EXPECT_EQ(counts, 2);
}

TEST(CapacityShare, IsNotRefusedBecauseAnotherThreadCountedFirst) {
  FakeClock clock;
  CapacityShare share(100, "dir", []() -> Result<CachedBlocks> { return CachedBlocks{}; }, clock);
  clock.meanwhile = [&] { ASSERT_TRUE(share.Recount()); };
  EXPECT_TRUE(share.Take(10));
}

TEST(Floor, IsTheLargestOfTheThree) {
  rig::TempDir folder;
  auto options = rig::CacheAt({folder / "cache"});
  const auto floor_with = [&](double ratio, double margin, double minimum) {
    options.free_space_ratio = ratio;
    options.free_space_margin = margin;
    options.minimum_free_ratio = minimum;
    const auto usage = (*(*BlockCache::Open(options))->Usage())[0];
    return static_cast<double>(usage.floor_bytes);
  };
  const double total = floor_with(0, 0, 0.5) * 2;
  EXPECT_NEAR(floor_with(0.1, 0.05, 0.15) / total, 0.15, 1e-6);
  EXPECT_NEAR(floor_with(0.2, 0.05, 0.15) / total, 0.25, 1e-6);
  EXPECT_NEAR(floor_with(0.01, 0.01, 0.15) / total, 0.15, 1e-6);
}

}  // namespace
}  // namespace prewarm::agent
