// Planted damage of every kind is found as exactly that.
#include "agent/cache/block_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/rig/cache_fixture.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;
using rig::ABlock;

constexpr std::uint32_t kSize = 100000;  // 4 pieces

class Verifier : public testing::Test {
 protected:
  Verifier() : cache_(*BlockCache::Open(rig::CacheAt({folder_ / "cache"}))) {}

  void Plant(std::vector<std::byte> bytes) const {
    fs::create_directories(Path().parent_path());
    std::ofstream(Path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    ::chmod(Path().c_str(), 0600);
  }
  [[nodiscard]] fs::path Path() const {
    return rig::OraclePath(folder_.path() / "cache" / rig::kUuid, rig::Oracle(block_));
  }
  [[nodiscard]] std::vector<std::byte> Right() const {
    return rig::OracleFile(rig::Oracle(block_));
  }
  BlockReport Verify() { return VerifyBlock(*cache_, block_); }
  BlockReport VerifyAgainst(const std::vector<std::byte>& store) {
    return VerifyBlock(*cache_, block_, std::span<const std::byte>(store));
  }

  rig::TempDir folder_;
  std::unique_ptr<BlockCache> cache_;
  juicefs::BlockId block_ = ABlock(7, 1, kSize);
};

TEST_F(Verifier, KnowsAbsentAndWhole) {
  EXPECT_EQ(Verify().finding, BlockFinding::kAbsent);
  Plant(Right());
  const BlockReport report = Verify();
  EXPECT_EQ(report.finding, BlockFinding::kWhole) << report.detail;
  EXPECT_TRUE(report.Good());
  EXPECT_EQ(report.note, "");
}

TEST_F(Verifier, KnowsABlockWithoutTrailer) {
  auto bytes = Right();
  bytes.resize(kSize);
  Plant(bytes);
  EXPECT_EQ(Verify().finding, BlockFinding::kWholeWithoutTrailer);
}

TEST_F(Verifier, SaysByHowMuchTheLengthIsWrong) {
  for (const std::size_t off : {1UL, 3UL, 15UL, 17UL, 512UL, 100016UL}) {
    auto bytes = Right();
    bytes.resize(bytes.size() - off);
    Plant(bytes);
    EXPECT_EQ(Verify().finding, BlockFinding::kTooShort) << off;
    EXPECT_EQ(Verify().amount, off);
  }
  for (const std::size_t off : {1UL, 4UL, 512UL}) {
    auto bytes = Right();
    bytes.resize(bytes.size() + off);
    Plant(bytes);
    EXPECT_EQ(Verify().finding, BlockFinding::kTooLong) << off;
    EXPECT_EQ(Verify().amount, off);
  }
}

TEST_F(Verifier, KnowsLinkCountAndOtherKinds) {
  Plant(Right());
  fs::create_hard_link(Path(), folder_.path() / "staging");
  EXPECT_EQ(Verify().finding, BlockFinding::kLinkCount);
  EXPECT_EQ(Verify().amount, 2U);
  fs::remove(Path());
  fs::create_directory(Path());
  EXPECT_EQ(Verify().finding, BlockFinding::kNotAFile);
  fs::remove(Path());
  ASSERT_EQ(::mkfifo(Path().c_str(), 0600), 0);
  EXPECT_EQ(Verify().finding, BlockFinding::kNotAFile);
  fs::remove(Path());
  fs::create_symlink(folder_.path() / "staging", Path());
  EXPECT_EQ(Verify().finding, BlockFinding::kNotAFile);
}

TEST_F(Verifier, TellsFlippedDataFromFlippedTrailer) {
  constexpr std::uint32_t kSeed = 20261124;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    auto bytes = Right();
    const std::size_t at = random() % bytes.size();
    bytes[at] ^= static_cast<std::byte>(random() % 255 + 1);
    Plant(bytes);
    const auto finding = at < kSize ? BlockFinding::kDataDamaged : BlockFinding::kTrailerDamaged;
    ASSERT_EQ(Verify().finding, finding) << at;
    ASSERT_EQ(Verify().amount, 1U);
    ASSERT_EQ(VerifyAgainst(rig::OracleBytes(rig::Oracle(block_))).finding, finding) << at;
  }
}

TEST_F(Verifier, NeedsTheStoreToTellAWholeOverwrittenTrailerFromDamagedData) {
  auto bytes = Right();
  std::fill(bytes.begin() + kSize, bytes.end(), std::byte{0});
  Plant(bytes);
  EXPECT_EQ(Verify().finding, BlockFinding::kDataDamaged);
  EXPECT_EQ(Verify().amount, 4U);
  EXPECT_EQ(VerifyAgainst(rig::OracleBytes(rig::Oracle(block_))).finding,
            BlockFinding::kTrailerDamaged);
}

TEST_F(Verifier, FindsAnotherBlocksBytesOnlyWithTheStore) {
  const auto other = rig::OracleFile({8, 1, kSize});
  Plant(other);
  EXPECT_EQ(Verify().finding, BlockFinding::kWhole);
  EXPECT_EQ(VerifyAgainst(rig::OracleBytes(rig::Oracle(block_))).finding,
            BlockFinding::kOtherBytes);
}

TEST_F(Verifier, NotesAnOddModeWithoutBlamingTheBytes) {
  Plant(Right());
  ::chmod(Path().c_str(), 0666);
  EXPECT_EQ(Verify().finding, BlockFinding::kWhole);
  EXPECT_EQ(Verify().note, "mode 0666");
}

TEST(FindingNames, AreAllDifferent) {
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(BlockFinding::kReadError); ++i) {
    names.push_back(FindingName(static_cast<BlockFinding>(i)));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace prewarm::agent
