// Publishing: what stands under a block's name afterwards, read by the oracle, and what is refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/cache/block_cache.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/failing_calls.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;
using rig::ABlock;
using rig::CacheAt;
using rig::PublishBlock;
using testing::HasSubstr;
using testing::IsEmpty;

class Publish : public testing::Test {
 protected:
  std::unique_ptr<BlockCache> Open() { return OpenWith(CacheAt({folder_ / "cache"})); }
  static std::unique_ptr<BlockCache> OpenWith(CacheOptions options) {
    auto cache = BlockCache::Open(std::move(options));
    EXPECT_TRUE(cache) << cache.error().message;
    return cache ? *std::move(cache) : nullptr;
  }
  [[nodiscard]] fs::path Volume() const { return folder_.path() / "cache" / rig::kUuid; }
  [[nodiscard]] fs::path PathOf(juicefs::BlockId block) const {
    return rig::OraclePath(Volume(), rig::Oracle(block));
  }
  void Plant(juicefs::BlockId block, const std::vector<std::byte>& bytes) const {
    fs::create_directories(PathOf(block).parent_path());
    std::ofstream(PathOf(block), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void ExpectTree(std::size_t blocks, mode_t mode = 0600) const {
    const auto tree = rig::CheckVolumeTree(Volume(), rig::ExpectedOfUs(mode));
    EXPECT_EQ(tree.blocks, blocks);
    EXPECT_THAT(tree.violations, IsEmpty());
    EXPECT_THAT(tree.strays, IsEmpty());
  }

  rig::TempDir folder_;
};

TEST_F(Publish, LeavesExactlyDataAndTrailerUnderTheName) {
  auto cache = Open();
  const std::vector<juicefs::BlockId> blocks = {
      ABlock(1, 0, 1),      ABlock(1, 1, 4095),         ABlock(1234567, 2, 4096),
      ABlock(2, 0, 32768),  ABlock(2, 1, 32769),        ABlock(3, 0, 64 << 10),
      ABlock(4, 0, 611392), ABlock(999999, 0, 1 << 20), ABlock(5, 15, 4 << 20)};
  for (const auto block : blocks) {
    EXPECT_EQ(*cache->StateOf(block), BlockState::kAbsent);
    const auto published = PublishBlock(*cache, block);
    ASSERT_TRUE(published) << published.error().message;
    EXPECT_EQ(*published, Published::kStored);
    EXPECT_EQ(*cache->StateOf(block), BlockState::kWhole);
    EXPECT_TRUE(fs::exists(PathOf(block)));
  }
  ExpectTree(blocks.size());
}

TEST_F(Publish, AnswersForABatchInItsOrder) {
  auto cache = Open();
  ASSERT_TRUE(PublishBlock(*cache, ABlock(2)));
  std::vector<StagedBlock> batch;
  for (const unsigned slice : {1U, 2U, 3000U}) {
    auto staged = rig::StageBlock(*cache, ABlock(slice));
    ASSERT_TRUE(staged) << staged.error().message;
    batch.push_back(*std::move(staged));
  }
  const auto answers = cache->Publish(std::move(batch));
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(*answers[0], Published::kStored);
  EXPECT_EQ(*answers[1], Published::kAlreadyThere);
  EXPECT_EQ(*answers[2], Published::kStored);
  ExpectTree(3);
}

TEST_F(Publish, UsesTheClientsModesWhateverTheUmask) {
  const mode_t before = ::umask(077);
  CacheOptions options = CacheAt({folder_ / "cache"});
  options.file_mode = 0664;
  auto cache = OpenWith(options);
  ASSERT_TRUE(PublishBlock(*cache, ABlock(1)));
  ::umask(before);
  ExpectTree(1, 0644);  // as the client's file under its usual umask
  EXPECT_EQ(fs::status(PathOf(ABlock(1)).parent_path()).permissions(), fs::perms(0777));
}

TEST_F(Publish, AStagedBlockThatIsDroppedLeavesNothing) {
  auto cache = Open();
  ASSERT_TRUE(rig::StageBlock(*cache, ABlock(1)));
  EXPECT_EQ(*cache->StateOf(ABlock(1)), BlockState::kAbsent);
  ExpectTree(0);
}

TEST_F(Publish, TakesAWholeBlockOfSomebodyElse) {
  auto cache = Open();
  Plant(ABlock(1), rig::OracleFile(rig::Oracle(ABlock(1))));
  Plant(ABlock(2), rig::OracleBytes(rig::Oracle(ABlock(2))));  // a client without checksums
  for (const unsigned slice : {1U, 2U}) {
    EXPECT_EQ(*cache->StateOf(ABlock(slice)), BlockState::kWhole);
    const auto published = PublishBlock(*cache, ABlock(slice));
    ASSERT_TRUE(published) << published.error().message;
    EXPECT_EQ(*published, Published::kAlreadyThere);
  }
}

TEST_F(Publish, RefusesAndKeepsWhatIsNotAWholeBlock) {
  auto cache = Open();
  auto damaged = rig::OracleFile(rig::Oracle(ABlock(1)));
  damaged[5] ^= std::byte{1};
  Plant(ABlock(1), damaged);
  Plant(ABlock(2), {});
  Plant(ABlock(3), rig::OracleFile(rig::Oracle(ABlock(3))));
  fs::create_hard_link(PathOf(ABlock(3)), folder_.path() / "staging");
  fs::create_directories(PathOf(ABlock(4)));
  ASSERT_EQ(::mkfifo(PathOf(ABlock(5)).c_str(), 0600), 0);
  fs::create_symlink(folder_.path() / "elsewhere", PathOf(ABlock(6)));
  EXPECT_EQ(*cache->StateOf(ABlock(1)), BlockState::kWhole);  // by its size
  EXPECT_EQ(*cache->StateOf(ABlock(2)), BlockState::kWrongSize);
  EXPECT_EQ(*cache->StateOf(ABlock(3)), BlockState::kStaged);
  for (const unsigned slice : {4U, 5U, 6U}) {
    EXPECT_EQ(*cache->StateOf(ABlock(slice)), BlockState::kNotAFile);
  }
  for (const unsigned slice : {1U, 2U, 3U, 4U, 5U, 6U}) {
    const auto published = PublishBlock(*cache, ABlock(slice));
    ASSERT_FALSE(published) << slice;
    EXPECT_EQ(published.error().code, ErrorCode::kConflict) << slice;
    EXPECT_EQ(published.error().reason, Reason::kForeignFile) << slice;
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "elsewhere"));
  EXPECT_EQ(fs::file_size(PathOf(ABlock(1))), damaged.size());
  EXPECT_EQ(fs::file_size(PathOf(ABlock(2))), 0U);
  EXPECT_EQ(fs::hard_link_count(PathOf(ABlock(3))), 2U);
}

TEST_F(Publish, DoesNotFollowASymlinkInTheWay) {
  auto cache = Open();
  fs::create_directory(folder_.path() / "outside");
  fs::create_directories(Volume() / "raw" / "chunks");
  fs::create_symlink(folder_.path() / "outside", Volume() / "raw" / "chunks" / "0");
  const auto published = PublishBlock(*cache, ABlock(1));
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().reason, Reason::kForeignFile);
  EXPECT_THAT(published.error().message, HasSubstr("symlink"));
  EXPECT_FALSE(cache->StateOf(ABlock(1)));
  EXPECT_TRUE(fs::is_empty(folder_.path() / "outside"));
}

TEST_F(Publish, DoesNotWriteThroughAFolderThatWasMovedAway) {
  auto cache = Open();
  ASSERT_TRUE(PublishBlock(*cache, ABlock(1)));
  const fs::path folder = PathOf(ABlock(1)).parent_path();
  fs::rename(folder, folder_.path() / "moved");
  ASSERT_TRUE(PublishBlock(*cache, ABlock(2)));
  EXPECT_TRUE(fs::exists(PathOf(ABlock(2))));
  EXPECT_FALSE(fs::exists(folder_.path() / "moved" / "2_0_100000"));
}

TEST_F(Publish, FindsABlockInAFolderThatWasRemovedAndMadeAnew) {
  auto cache = Open();
  ASSERT_TRUE(PublishBlock(*cache, ABlock(1)));
  ASSERT_EQ(*cache->StateOf(ABlock(1)), BlockState::kWhole);
  fs::remove_all(Volume() / "raw");
  EXPECT_EQ(*cache->StateOf(ABlock(1)), BlockState::kAbsent);
  Plant(ABlock(1), rig::OracleFile(rig::Oracle(ABlock(1))));
  EXPECT_EQ(*cache->StateOf(ABlock(1)), BlockState::kWhole);
}

TEST_F(Publish, StopsWhenTheDirectoryIsReplaced) {
  auto cache = Open();
  auto staged = rig::StageBlock(*cache, ABlock(1));
  ASSERT_TRUE(staged);
  fs::rename(Volume(), folder_.path() / "old");
  fs::create_directory(Volume());
  const auto published = rig::Name(*cache, *std::move(staged));
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().reason, Reason::kCacheDirectoryGone);
  EXPECT_TRUE(fs::is_empty(Volume()));
  EXPECT_TRUE(fs::is_empty(folder_.path() / "old"));
}

TEST_F(Publish, StopsWhenTheDirectoryIsRemoved) {
  auto cache = Open();
  fs::remove_all(Volume());
  const auto staged = rig::StageBlock(*cache, ABlock(1));
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().reason, Reason::kCacheDirectoryGone) << staged.error().message;
  EXPECT_FALSE(fs::exists(Volume()));
}

TEST_F(Publish, AFailedSyncDropsTheWholeBatchOfADirectory) {
  for (const bool batch_sync : {true, false}) {
    const bool arranged = rig::WithFailingCalls({{SYS_syncfs, EIO}, {SYS_fdatasync, EIO}}, [&] {
      CacheOptions options = CacheAt({folder_ / "cache"});
      options.batch_sync = batch_sync;
      auto cache = OpenWith(options);
      std::vector<StagedBlock> batch;
      for (const unsigned slice : {1U, 2U}) {
        batch.push_back(*rig::StageBlock(*cache, ABlock(slice)));
      }
      for (const auto& answer : cache->Publish(std::move(batch))) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, ErrorCode::kInternal);
        EXPECT_EQ(answer.error().reason, Reason::kDiskError);
      }
    });
    ASSERT_TRUE(arranged);
    ExpectTree(0);
  }
}

TEST_F(Publish, NamesTheReasonOfEveryRefusalAndLeavesNothing) {
  struct Case {
    rig::FailingCall call;
    ErrorCode code;
    Reason reason;
  };
  const std::vector<Case> cases = {
      {{SYS_pwrite64, ENOSPC}, ErrorCode::kNoSpace, Reason::kNoSpace},
      {{SYS_pwrite64, EDQUOT}, ErrorCode::kNoSpace, Reason::kQuota},
      {{SYS_pwrite64, EIO}, ErrorCode::kInternal, Reason::kDiskError},
      {{SYS_ftruncate, EIO}, ErrorCode::kInternal, Reason::kDiskError},
      {{SYS_linkat, EDQUOT}, ErrorCode::kNoSpace, Reason::kQuota},
      {{SYS_linkat, EROFS}, ErrorCode::kPermission, Reason::kReadOnly},
      {{SYS_linkat, ENOENT}, ErrorCode::kNotFound, Reason::kNotFound},
      {{SYS_mkdirat, ENOSPC}, ErrorCode::kNoSpace, Reason::kNoSpace},
      {{SYS_mkdirat, EACCES}, ErrorCode::kPermission, Reason::kAccessDenied},
      {{SYS_openat2, EMFILE}, ErrorCode::kInternal, Reason::kUnspecified},
  };
  for (const Case& c : cases) {
    fs::remove_all(Volume());
    auto cache = Open();
    const bool arranged = rig::WithFailingCalls({c.call}, [&] {
      const auto published = PublishBlock(*cache, ABlock(1));
      ASSERT_FALSE(published);
      EXPECT_EQ(published.error().code, c.code) << published.error().message;
      EXPECT_EQ(published.error().reason, c.reason) << published.error().message;
    });
    ASSERT_TRUE(arranged);
    ExpectTree(0);
  }
}

TEST_F(Publish, FallsBackWithoutDirectWrites) {
  const bool arranged =
      rig::WithFailingCalls({{SYS_openat, EINVAL, 2, static_cast<std::uint32_t>(O_DIRECT)}}, [&] {
        auto cache = Open();
        ASSERT_TRUE(PublishBlock(*cache, ABlock(1)));
        ASSERT_TRUE(PublishBlock(*cache, ABlock(1, 1, 4 << 20)));
      });
  ASSERT_TRUE(arranged);
  ExpectTree(2);
}

TEST_F(Publish, FallsBackToThePrivateFolderWithoutNamelessFiles) {
  for (const int error_number : {EOPNOTSUPP, EISDIR, ENOSYS}) {
    const bool arranged = rig::WithFailingCalls({rig::NoNamelessFiles(error_number)}, [&] {
      auto cache = Open();
      const auto block = ABlock(static_cast<std::uint64_t>(error_number));
      auto published = PublishBlock(*cache, block);
      ASSERT_TRUE(published) << published.error().message;
      EXPECT_EQ(*published, Published::kStored);
      EXPECT_EQ(*PublishBlock(*cache, block), Published::kAlreadyThere);
      ASSERT_TRUE(rig::StageBlock(*cache, ABlock(77)));  // dropped
    });
    ASSERT_TRUE(arranged);
  }
  ExpectTree(3);
  EXPECT_EQ(fs::status(Volume() / ".prewarm").permissions(), fs::perms(0700));
}

TEST_F(Publish, RefusesAFileSystemOnWhichItCannotBeSafe) {
  const bool arranged =
      rig::WithFailingCalls({rig::NoNamelessFiles(EOPNOTSUPP), {SYS_renameat2, EINVAL}}, [&] {
        const auto cache = BlockCache::Open(CacheAt({folder_ / "cache"}));
        ASSERT_FALSE(cache);
        EXPECT_EQ(cache.error().code, ErrorCode::kInvalidArgument);
        EXPECT_THAT(cache.error().message, HasSubstr("O_TMPFILE"));
      });
  ASSERT_TRUE(arranged);
}

TEST_F(Publish, RemovesTheLeftoversOfDeadWritersOnly) {
  fs::create_directories(Volume() / ".prewarm");
  for (const char* name : {"dead.writer", "dead-0", "dead-1", "stranger"}) {
    std::ofstream(Volume() / ".prewarm" / name) << "x";
  }
  const bool arranged = rig::WithFailingCalls({rig::NoNamelessFiles(EOPNOTSUPP)}, [&] {
    auto living = Open();
    auto staged = rig::StageBlock(*living, ABlock(1));
    ASSERT_TRUE(staged);
    EXPECT_FALSE(fs::exists(Volume() / ".prewarm" / "dead-0"));
    EXPECT_FALSE(fs::exists(Volume() / ".prewarm" / "dead.writer"));
    auto second = Open();  // must not take the first one's block for a leftover
    EXPECT_TRUE(rig::Name(*living, *std::move(staged)));
  });
  ASSERT_TRUE(arranged);
  EXPECT_TRUE(fs::exists(Volume() / ".prewarm" / "stranger"));
  fs::remove(Volume() / ".prewarm" / "stranger");
  ExpectTree(1);
}

TEST_F(Publish, FourThreadsPublishTheSameBlocksOnce) {
  auto cache = Open();
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t slice = 1; slice <= 25; ++slice) {
        const auto published = PublishBlock(*cache, ABlock(slice * 500, 0, 40000));
        ASSERT_TRUE(published) << published.error().message;
        if (*published == Published::kStored) ++stored;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stored, 25);
  ExpectTree(25);
}

TEST_F(Publish, IsTakenBackOnlyWhileTheFileIsTheSameAndHasNoOtherName) {
  auto cache = Open();
  const auto inode_of = [&](juicefs::BlockId block) {
    struct stat file{};
    EXPECT_EQ(::stat(PathOf(block).c_str(), &file), 0);
    return file.st_ino;
  };
  for (const auto block : {ABlock(1), ABlock(2), ABlock(3)}) {
    ASSERT_TRUE(PublishBlock(*cache, block));
  }
  fs::create_hard_link(PathOf(ABlock(2)), folder_.path() / "staging");
  EXPECT_TRUE(*cache->Remove(ABlock(1), inode_of(ABlock(1))));
  EXPECT_FALSE(fs::exists(PathOf(ABlock(1))));
  EXPECT_FALSE(*cache->Remove(ABlock(1), 1)) << "gone already";
  EXPECT_FALSE(*cache->Remove(ABlock(2), inode_of(ABlock(2)))) << "somebody else needs it";
  EXPECT_FALSE(*cache->Remove(ABlock(3), inode_of(ABlock(3)) + 1)) << "somebody else's file";
  EXPECT_FALSE(*cache->Remove(ABlock(4), 1));
  EXPECT_TRUE(fs::exists(PathOf(ABlock(2))) && fs::exists(PathOf(ABlock(3))));
}

}  // namespace
}  // namespace prewarm::agent
