// Which directories there are and which one a block belongs to, by the client's rules.
#include "agent/cache/directory_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/rig/cache_fixture.h"
#include "tests/rig/failing_calls.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;
using rig::ABlock;
using rig::CacheAt;
using rig::kUuid;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

std::string TextOf(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void WriteText(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

class Directories : public testing::Test {
 protected:
  [[nodiscard]] std::string Dir(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] fs::path Volume(const std::string& name) const {
    return folder_.path() / name / kUuid;
  }
  static Error OpenError(const CacheOptions& options) {
    const auto cache = BlockCache::Open(options);
    EXPECT_FALSE(cache);
    return cache ? Error{} : cache.error();
  }

  rig::TempDir folder_;
};

TEST_F(Directories, AreSortedBytewiseAndEachOnce) {
  EXPECT_THAT(*ExpandDirectories({"/b", "/a10", "/a2", "/b"}, "U"),
              ElementsAre("/a10/U", "/a2/U", "/b/U"));
}

TEST_F(Directories, WildcardMatchesOnlyWhereTheVolumeAlreadyIs) {
  fs::create_directories(Volume("disk1"));
  fs::create_directories(Volume("disk3"));
  fs::create_directories(Volume(".disk4"));
  fs::create_directories(Dir("disk2"));
  WriteText(Volume("disk5"), "a file");
  EXPECT_THAT(*ExpandDirectories({Dir("disk*")}, kUuid),
              ElementsAre(Volume("disk1").string(), Volume("disk3").string()));
  EXPECT_THAT(
      *ExpandDirectories({Dir("*")}, kUuid),
      ElementsAre(Volume(".disk4").string(), Volume("disk1").string(), Volume("disk3").string()));
}

TEST_F(Directories, WildcardThatMatchesNothingSaysWhatToDo) {
  fs::create_directories(Dir("disk1"));
  const Error error = OpenError(CacheAt({Dir("disk*")}));
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("name the directories"));
}

TEST_F(Directories, ASingleOneGetsNoLock) {
  ASSERT_TRUE(BlockCache::Open(CacheAt({Dir("only")})));
  EXPECT_TRUE(fs::exists(Volume("only")));
  EXPECT_FALSE(fs::exists(Volume("only") / ".lock"));
}

TEST_F(Directories, SeveralNewOnesGetALockEachThatStays) {
  const auto options = CacheAt({Dir("a"), Dir("b"), Dir("c")});
  ASSERT_TRUE(BlockCache::Open(options));
  const std::string id = TextOf(Volume("b") / ".lock");
  EXPECT_THAT(id,
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(id, TextOf(Volume("a") / ".lock"));
  EXPECT_EQ(fs::status(Volume("b") / ".lock").permissions(), fs::perms(0644));
  ASSERT_TRUE(BlockCache::Open(options));
  EXPECT_EQ(TextOf(Volume("b") / ".lock"), id);
}

TEST_F(Directories, LocksAreMadeWithoutNamelessFilesToo) {
  const bool arranged = rig::WithFailingCalls({rig::NoNamelessFiles(EOPNOTSUPP)}, [&] {
    ASSERT_TRUE(BlockCache::Open(CacheAt({Dir("a"), Dir("b")})));
  });
  ASSERT_TRUE(arranged);
  EXPECT_EQ(TextOf(Volume("a") / ".lock").size(), 36U);
}

TEST_F(Directories, PlaceBlocksAsTheClientsRingDoes) {
  const std::string ids[] = {"11111111-1111-1111-1111-111111111111",
                             "22222222-2222-2222-2222-222222222222",
                             "33333333-3333-3333-3333-333333333333"};
  for (int i = 0; i < 3; ++i) WriteText(Volume(std::to_string(i)) / ".lock", ids[i]);
  auto cache = BlockCache::Open(CacheAt({Dir("0"), Dir("1"), Dir("2")}));
  ASSERT_TRUE(cache);
  std::string picks;
  for (std::uint64_t slice = 1; slice <= 64; ++slice) {
    picks += std::to_string((*cache)->DirectoryOf(ABlock(slice, 0, 4 << 20)));
  }
  EXPECT_EQ(picks, "0121102202001112112212220012212012011210200100100111122100021021");
  const auto block = ABlock(3, 0, 4 << 20);
  ASSERT_TRUE(rig::PublishBlock(**cache, block));
  EXPECT_TRUE(fs::exists(rig::OraclePath(Volume("2"), rig::Oracle(block))));
}

TEST_F(Directories, SayWhichOneLostItsLock) {
  WriteText(Volume("a") / ".lock", "one");
  fs::create_directories(Volume("b") / "raw");
  const Error error = OpenError(CacheAt({Dir("a"), Dir("b")}));
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr(Volume("b").string() + "/.lock is missing"));
  EXPECT_FALSE(fs::exists(Volume("b") / ".lock"));
}

TEST_F(Directories, NeverTouchALockThatExists) {
  WriteText(Volume("a") / ".lock", "one");
  WriteText(Volume("b") / ".lock", "");
  EXPECT_EQ(OpenError(CacheAt({Dir("a"), Dir("b")})).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(TextOf(Volume("b") / ".lock"), "");
  WriteText(Volume("b") / ".lock", "one");
  EXPECT_THAT(OpenError(CacheAt({Dir("a"), Dir("b")})).message, HasSubstr("copy"));
}

TEST_F(Directories, AreNotCountedTwiceUnderTwoNames) {
  fs::create_directories(Volume("a"));
  fs::create_symlink(Dir("a"), Dir("b"));
  EXPECT_THAT(OpenError(CacheAt({Dir("a"), Dir("b")})).message, HasSubstr("same directory"));
}

TEST_F(Directories, ADryRunMakesNothing) {
  CacheOptions options = CacheAt({Dir("a/deep")});
  options.create = false;
  auto cache = BlockCache::Open(options);
  ASSERT_TRUE(cache) << cache.error().message;
  EXPECT_EQ(*(*cache)->StateOf(ABlock(1)), BlockState::kAbsent);
  EXPECT_EQ((*cache)->OpenBlock(ABlock(1)).error().code, ErrorCode::kNotFound);
  const auto usage = (*cache)->Usage();
  ASSERT_TRUE(usage);
  EXPECT_GT((*usage)[0].free_bytes, 0U);
  EXPECT_FALSE(fs::exists(Dir("a")));
  const auto staged = rig::StageBlock(**cache, ABlock(1));
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Directories, ADryRunOverSeveralNeedsAllOrNone) {
  CacheOptions options = CacheAt({Dir("a"), Dir("b")});
  options.create = false;
  auto cache = BlockCache::Open(options);
  ASSERT_TRUE(cache);
  EXPECT_EQ(*(*cache)->StateOf(ABlock(1)), BlockState::kAbsent);
  WriteText(Volume("a") / ".lock", "one");
  EXPECT_EQ(OpenError(options).code, ErrorCode::kInvalidArgument);
}

TEST_F(Directories, RefuseWhatIsNoDirectory) {
  WriteText(Dir("file"), "x");
  EXPECT_FALSE(BlockCache::Open(CacheAt({Dir("file")})));
  fs::create_directories(Dir("real"));
  fs::create_directories(Dir("target"));
  fs::create_directory_symlink(Dir("target"), Volume("real"));
  EXPECT_EQ(OpenError(CacheAt({Dir("real")})).code, ErrorCode::kInvalidArgument);
  CacheOptions options = CacheAt({Dir("x")});
  options.uuid = "../../etc";
  EXPECT_EQ(OpenError(options).code, ErrorCode::kInvalidArgument);
}

TEST_F(Directories, GiveWhatTheyMakeTheModeOfTheClient) {
  CacheOptions options = CacheAt({Dir("new/deep")});
  ASSERT_TRUE(BlockCache::Open(options));
  EXPECT_EQ(fs::status(Volume("new/deep")).permissions(), fs::perms(0700));
}

}  // namespace
}  // namespace prewarm::agent
