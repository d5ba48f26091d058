#include "common/juicefs/block_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/juicefs/natural_order.h"

namespace prewarm::juicefs {
namespace {

constexpr std::uint32_t kBlock = 4 << 20;
constexpr std::uint32_t kChunk = 64 << 20;

// A file written once: one slice for each 64 MiB chunk, ids counting up from `first_slice`.
FileSlices WrittenOnce(std::string path, std::uint64_t length, std::uint64_t first_slice) {
  FileSlices file{std::move(path), Inode{first_slice}, length, {}};
  for (std::uint64_t at = 0; at < length; at += kChunk) {
    const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(kChunk, length - at));
    file.segments.push_back({0, SliceId{first_slice++}, size, 0, size});
  }
  return file;
}

std::vector<BlockId> AllBlocks(const BlockPlan& plan) {
  std::vector<BlockId> blocks;
  for (std::uint64_t i = 0; i < plan.block_count(); ++i) blocks.push_back(plan.At(i));
  return blocks;
}

TEST(NaturalOrder, ComparesRunsOfDigitsAsNumbers) {
  std::vector<std::string> names{"model-10.bin", "model-2.bin", "model-1.bin", "Model-3.bin",
                                 "model-02.bin", "model",       "model-2a.bin"};
  std::sort(names.begin(), names.end(), NaturalLess);
  EXPECT_THAT(names, testing::ElementsAre("Model-3.bin", "model", "model-1.bin", "model-02.bin",
                                          "model-2.bin", "model-2a.bin", "model-10.bin"));
}

TEST(NaturalOrder, HandlesNumbersLongerThanAnyInteger) {
  EXPECT_TRUE(NaturalLess("a99999999999999999999998", "a99999999999999999999999"));
  EXPECT_FALSE(NaturalLess("a99999999999999999999999", "a99999999999999999999998"));
}

TEST(BlockPlan, PutsSmallFilesFirstThenFirstBlocksThenShardsInNaturalOrder) {
  const std::vector<FileSlices> files{WrittenOnce("model-10.bin", 32 << 20, 100),
                                      WrittenOnce("model-9.bin", 32 << 20, 200),
                                      WrittenOnce("tokenizer.json", 1000, 300)};
  const BlockPlan plan(files, kBlock);
  std::vector<BlockId> expected{
      {SliceId{300}, 0, 1000}, {SliceId{200}, 0, kBlock}, {SliceId{100}, 0, kBlock}};
  for (const std::uint64_t slice : {200U, 100U}) {
    for (std::uint32_t index = 1; index < 8; ++index) {
      expected.push_back({SliceId{slice}, index, kBlock});
    }
  }
  EXPECT_EQ(AllBlocks(plan), expected);
  EXPECT_EQ(plan.bytes(), (64ULL << 20) + 1000);
}

TEST(BlockPlan, NamesABlockOnceHoweverManyFilesShareIt) {
  auto original = WrittenOnce("a", 40 << 20, 7);
  auto clone = original;
  clone.path = "b";
  FileSlices tail{"c", Inode{9}, 2 << 20, {{0, SliceId{7}, 40 << 20, 38 << 20, 2 << 20}}};
  const BlockPlan plan(std::vector{original, clone, tail}, kBlock);
  const auto blocks = AllBlocks(plan);
  EXPECT_EQ(blocks.size(), 10U);
  EXPECT_EQ(std::set<BlockId>(blocks.begin(), blocks.end()).size(), 10U);
  EXPECT_EQ(plan.bytes(), 40ULL << 20);
}

TEST(BlockPlan, LeavesOutBlocksWithoutVisibleBytes) {
  // 10 blocks of a slice, of which the bytes 9 MiB to 17 MiB are visible: blocks 2, 3 and 4.
  const FileSlices file{"a", Inode{1}, 8 << 20, {{0, SliceId{5}, 40 << 20, 9 << 20, 8 << 20}}};
  const BlockPlan plan(std::vector{file}, kBlock);
  EXPECT_THAT(AllBlocks(plan),
              testing::ElementsAre(BlockId{SliceId{5}, 2, kBlock}, BlockId{SliceId{5}, 3, kBlock},
                                   BlockId{SliceId{5}, 4, kBlock}));
}

TEST(BlockPlan, CountsTheLastShortBlockByItsLength) {
  const BlockPlan plan(std::vector{WrittenOnce("a", 9'000'000, 1)}, kBlock);
  ASSERT_EQ(plan.block_count(), 3U);
  EXPECT_EQ(plan.At(2), (BlockId{SliceId{1}, 2, 611392}));
  EXPECT_EQ(plan.bytes(), 9'000'000U);
}

TEST(BlockPlan, IsEmptyForNothingAndForEmptyFiles) {
  EXPECT_EQ(BlockPlan().block_count(), 0U);
  EXPECT_EQ(BlockPlan(std::vector{FileSlices{"empty", Inode{3}, 0, {}}}, kBlock).bytes(), 0U);
}

TEST(BlockPlan, IsTheSameAfterItWasHandedOverAsRuns) {
  const std::vector<FileSlices> files{WrittenOnce("a", 40 << 20, 1), WrittenOnce("b", 9 << 20, 9)};
  const BlockPlan plan(files, kBlock);
  EXPECT_THAT(plan.Runs(), testing::ElementsAre(BlockRun{SliceId{9}, 9 << 20, 0, 3},
                                                BlockRun{SliceId{1}, 40 << 20, 0, 1},
                                                BlockRun{SliceId{1}, 40 << 20, 1, 9}));
  const auto copy = BlockPlan::FromRuns(plan.Runs(), kBlock);
  ASSERT_TRUE(copy);
  EXPECT_EQ(*copy, plan);
  EXPECT_EQ(AllBlocks(*copy), AllBlocks(plan));
}

std::string WhyRefused(const std::vector<BlockRun>& runs, std::uint32_t block_size = kBlock) {
  const auto plan = BlockPlan::FromRuns(runs, block_size);
  return plan ? "" : plan.error().message;
}

TEST(BlockPlan, RefusesRunsThatNoPlanCanHave) {
  const SliceId slice{7};
  EXPECT_EQ(WhyRefused({{slice, 9 << 20, 0, 3}}), "");
  EXPECT_EQ(WhyRefused({{slice, 9 << 20, 0, 3}}, 0), "a plan with blocks of no size");
  EXPECT_EQ(WhyRefused({{slice, 9 << 20, 1, 0}}), "run 0 of a plan is empty");
  EXPECT_EQ(WhyRefused({{SliceId{0}, 9 << 20, 0, 1}}),
            "run 0 of a plan names the hole, which has no blocks");
  for (const BlockRun& behind :
       {BlockRun{slice, 9 << 20, 0, 4}, BlockRun{slice, 8 << 20, 2, 1}, BlockRun{slice, 0, 0, 1},
        BlockRun{slice, 9 << 20, ~0U, ~0U}, BlockRun{slice, 9 << 20, 1, ~0U}}) {
    EXPECT_EQ(WhyRefused({behind}), "run 0 of a plan goes behind the end of its slice");
  }
}

TEST(BlockPlan, RefusesRunsThatNameABlockTwice) {
  const BlockRun low{SliceId{7}, 40 << 20, 0, 5};
  const BlockRun high{SliceId{7}, 40 << 20, 5, 5};
  const BlockRun both{SliceId{7}, 40 << 20, 4, 2};
  const BlockRun other{SliceId{8}, 40 << 20, 4, 2};
  EXPECT_EQ(WhyRefused({high, other, low}), "");
  EXPECT_EQ(WhyRefused({high, other, both}), "run 2 of a plan names a block again");
  EXPECT_EQ(WhyRefused({both, low}), "run 1 of a plan names a block again");
  EXPECT_EQ(WhyRefused({low, low}), "run 1 of a plan names a block again");
}

TEST(BlockPlan, BoundsItsBlocksBeforeItTakesMemoryForThem) {
  EXPECT_EQ(WhyRefused({{SliceId{1}, 1U << 28, 0, 1U << 28}}, 1), "");
  EXPECT_EQ(WhyRefused({{SliceId{1}, 1U << 28, 0, 1U << 28}, {SliceId{2}, 1, 0, 1}}, 1),
            "run 1 of a plan exceeds the 268435456 blocks a plan may have");
}

// Against a set built block by block.
TEST(BlockPlan, NamesExactlyTheNeededBlocksForRandomOverlappingSegments) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random);
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<FileSlices> files;
    std::set<BlockId> needed;
    for (int f = 0; f < 4; ++f) {
      FileSlices file{"f" + std::to_string(f), Inode{1}, below(2) == 0 ? 1000U : 1U << 30, {}};
      for (int s = 0; s < 6; ++s) {
        const SliceId slice{1 + below(3)};
        const std::uint32_t size = 64 * 1024 * (3 + static_cast<std::uint32_t>(slice.value)) + 100;
        const auto offset = below(size);
        const auto length = 1 + below(size - offset);
        file.segments.push_back({0, slice, size, offset, length});
        for (std::uint32_t byte = offset / 65536; byte <= (offset + length - 1) / 65536; ++byte) {
          needed.insert({slice, byte, std::min<std::uint32_t>(65536, size - byte * 65536)});
        }
      }
      files.push_back(file);
    }
    const BlockPlan plan(files, 65536);
    const auto blocks = AllBlocks(plan);
    ASSERT_EQ(blocks.size(), needed.size());
    ASSERT_EQ(std::set<BlockId>(blocks.begin(), blocks.end()), needed);
    std::uint64_t bytes = 0;
    for (const auto& block : blocks) bytes += block.size;
    ASSERT_EQ(plan.bytes(), bytes);

    const auto handed_over = BlockPlan::FromRuns(plan.Runs(), plan.block_size());
    ASSERT_TRUE(handed_over) << handed_over.error().message;
    ASSERT_EQ(*handed_over, plan);
    ASSERT_EQ(AllBlocks(*handed_over), blocks);
  }
}

}  // namespace
}  // namespace prewarm::juicefs
