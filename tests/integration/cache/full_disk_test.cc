// Full, read-only and vanished disks: file systems of the test's own, mounted by it (needs root).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "agent/cache/block_cache.h"
#include "common/base/units.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/disposable_disk.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;
using rig::ABlock;
using testing::IsEmpty;

constexpr std::uint32_t kBlock = 256 << 10;
constexpr std::uint64_t kOnDisk = kBlock + 4096;  // 32 bytes of trailer take a page

struct statvfs Figures(const fs::path& path) {
  struct statvfs figures{};
  ::statvfs(path.c_str(), &figures);
  return figures;
}

class Disk : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(rig::EnterOwnMountNamespace()) << "this test mounts file systems: run it as root";
  }
  [[nodiscard]] fs::path MountPoint() const { return folder_.path() / "disk"; }
  [[nodiscard]] CacheOptions Options() const { return rig::CacheAt({MountPoint() / "cache"}); }
  std::unique_ptr<BlockCache> Open(const CacheOptions& options) {
    auto cache = BlockCache::Open(options);
    EXPECT_TRUE(cache) << cache.error().message;
    return cache ? *std::move(cache) : nullptr;
  }
  void ExpectCleanTree(std::size_t blocks) const {
    const auto tree =
        rig::CheckVolumeTree(MountPoint() / "cache" / rig::kUuid, rig::ExpectedOfUs());
    EXPECT_EQ(tree.blocks, blocks);
    EXPECT_THAT(tree.violations, IsEmpty());
    EXPECT_THAT(tree.strays, IsEmpty());
  }
  // Publishes 1, 2, 3… until it is refused; the error, and in `count` how many were stored.
  static Error FillUp(BlockCache& cache, std::size_t& count, std::uint32_t size = kBlock) {
    for (count = 0;; ++count) {
      auto published = rig::PublishBlock(cache, ABlock(count + 1, 0, size));
      if (!published) return published.error();
    }
  }

  rig::TempDir folder_;
};

TEST_F(Disk, StopsAtTheFloorOfBytes) {
  const rig::TmpfsDisk disk(MountPoint(), "size=20m");
  CacheOptions options = Options();
  options.minimum_free_ratio = 0.25;
  auto cache = Open(options);
  std::size_t count = 0;
  const Error error = FillUp(*cache, count);
  EXPECT_EQ(error.code, ErrorCode::kNoSpace);
  EXPECT_EQ(error.reason, Reason::kNoSpace);
  const auto figures = Figures(MountPoint());
  EXPECT_GE(figures.f_bavail * figures.f_frsize, 5_MiB);
  EXPECT_LT(figures.f_bavail * figures.f_frsize, 5_MiB + kOnDisk);
  ExpectCleanTree(count);
}

TEST_F(Disk, StopsAtTheFloorOfInodes) {
  const rig::TmpfsDisk disk(MountPoint(), "size=100m,nr_inodes=100");
  CacheOptions options = Options();
  options.minimum_free_ratio = 0.20;
  auto cache = Open(options);
  std::size_t count = 0;
  const Error error = FillUp(*cache, count, 5000);
  EXPECT_EQ(error.code, ErrorCode::kNoSpace);
  EXPECT_EQ(error.reason, Reason::kNoInodes);
  EXPECT_GE(Figures(MountPoint()).f_ffree, 20U);
  EXPECT_GT(count, 60U);
  ExpectCleanTree(count);
}

TEST_F(Disk, KnowsFullOfBytesFromFullOfInodesWhenTheKernelRefuses) {
  {
    const rig::TmpfsDisk disk(MountPoint(), "size=4m");
    auto cache = Open(Options());
    auto room = cache->Reserve(ABlock(1, 0, kBlock));
    ASSERT_TRUE(room);
    std::ofstream(MountPoint() / "rival")
        << std::string(4 << 20, 'x');  // between reserve and write
    auto buffer = rig::BufferWith(ABlock(1, 0, kBlock));
    const auto staged =
        cache->Stage(ABlock(1, 0, kBlock), buffer.bytes(), buffer.size, *std::move(room));
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().reason, Reason::kNoSpace);
    ExpectCleanTree(0);
  }
  const rig::TmpfsDisk disk(MountPoint(), "size=4m,nr_inodes=40");
  auto cache = Open(Options());
  auto room = cache->Reserve(ABlock(1, 0, kBlock));
  ASSERT_TRUE(room);
  for (int i = 0; i < 40; ++i) std::ofstream(MountPoint() / std::to_string(i)) << "x";
  auto buffer = rig::BufferWith(ABlock(1, 0, kBlock));
  const auto staged =
      cache->Stage(ABlock(1, 0, kBlock), buffer.bytes(), buffer.size, *std::move(room));
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(staged.error().reason, Reason::kNoInodes);
}

TEST_F(Disk, TreatsAFileSystemThatCountsNoInodesAsUnlimited) {
  const rig::TmpfsDisk disk(MountPoint(), "size=4m,nr_inodes=0");
  ASSERT_EQ(Figures(MountPoint()).f_files, 0U);
  auto cache = Open(Options());
  EXPECT_TRUE(rig::PublishBlock(*cache, ABlock(1)));
}

TEST_F(Disk, ReservationsOfTwoDirectoriesShareOneDisk) {
  const rig::TmpfsDisk disk(MountPoint(), "size=4m");
  auto cache = Open(rig::CacheAt({MountPoint() / "a", MountPoint() / "b"}));
  const std::uint64_t before = (*cache->Usage())[0].available_bytes;
  std::vector<SpaceReservation> rooms;
  std::set<std::size_t> directories;
  while (true) {
    const auto block = ABlock(rooms.size() + 1, 0, kBlock);
    auto room = cache->Reserve(block);
    if (!room) break;
    directories.insert(cache->DirectoryOf(block));
    rooms.push_back(*std::move(room));
  }
  EXPECT_EQ(rooms.size(), before / kOnDisk);
  EXPECT_EQ(directories.size(), 2U);
  rooms.clear();
  EXPECT_EQ((*cache->Usage())[1].available_bytes, before);
}

TEST_F(Disk, FourWritersAndARivalNeverLeaveATornBlock) {
  const rig::TmpfsDisk disk(MountPoint(), "size=16m");
  auto cache = Open(Options());
  std::atomic<bool> stop{false};
  std::atomic<int> stored{0};
  std::thread rival([&] {
    for (int i = 0; !stop; ++i) {
      const fs::path file = MountPoint() / ("rival" + std::to_string(i % 8));
      std::ofstream(file) << std::string(1 << 20, 'x');
      if (i % 3 == 0) fs::remove(file);
    }
  });
  std::vector<std::thread> writers;
  for (unsigned writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (unsigned i = 0; i < 40; ++i) {
        const auto published = rig::PublishBlock(*cache, ABlock(writer * 1000 + i + 1, 0, kBlock));
        if (published) {
          ++stored;
        } else {
          EXPECT_EQ(published.error().code, ErrorCode::kNoSpace) << published.error().message;
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  rival.join();
  EXPECT_GT(stored, 0);
  ExpectCleanTree(static_cast<std::size_t>(stored));
}

TEST_F(Disk, StopsWhenTheDiskIsUnmounted) {
  fs::create_directories(MountPoint() / "cache" / rig::kUuid);
  const rig::TmpfsDisk disk(MountPoint(), "size=4m");
  auto cache = Open(Options());
  auto staged = rig::StageBlock(*cache, ABlock(1));
  ASSERT_TRUE(staged);
  ASSERT_EQ(::umount2(MountPoint().c_str(), MNT_DETACH), 0);
  const auto published = rig::Name(*cache, *std::move(staged));
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().reason, Reason::kCacheDirectoryGone);
  EXPECT_TRUE(fs::is_empty(MountPoint() / "cache" / rig::kUuid));
}

class RealFileSystem : public Disk, public testing::WithParamInterface<const char*> {};

TEST_P(RealFileSystem, HoldsWholeBlocksAndSurvivesBeingFull) {
  const rig::LoopDisk disk(MountPoint(), GetParam(), 400);
  ASSERT_TRUE(disk.mounted()) << "needs loop devices and mkfs." << GetParam();
  auto cache = Open(Options());
  std::size_t count = 0;
  const Error error = FillUp(*cache, count, 4 << 20);
  EXPECT_EQ(error.code, ErrorCode::kNoSpace) << error.message;
  EXPECT_EQ(error.reason, Reason::kNoSpace);
  EXPECT_GT(count, 50U);
  ExpectCleanTree(count);
  const auto free_before = Figures(MountPoint()).f_bfree;
  cache.reset();
  EXPECT_GE(Figures(MountPoint()).f_bfree, free_before);
}

TEST_P(RealFileSystem, SaysReadOnlyAfterARemount) {
  rig::LoopDisk disk(MountPoint(), GetParam(), 400);
  ASSERT_TRUE(disk.mounted());
  auto cache = Open(Options());
  ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(1)));
  ASSERT_TRUE(disk.Remount("ro"));
  const auto published = rig::PublishBlock(*cache, ABlock(2));
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kPermission);
  EXPECT_EQ(published.error().reason, Reason::kReadOnly);
  EXPECT_EQ(*cache->StateOf(ABlock(1)), BlockState::kWhole);
  const auto again = BlockCache::Open(Options());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().reason, Reason::kReadOnly);
  CacheOptions reading = Options();
  reading.create = false;
  EXPECT_TRUE(BlockCache::Open(reading));
  ExpectCleanTree(1);
}

TEST_P(RealFileSystem, GivesWhatItMakesToTheOwnerOfTheVolumeDirectory) {
  const rig::LoopDisk disk(MountPoint(), GetParam(), 400);
  ASSERT_TRUE(disk.mounted());
  const fs::path volume = MountPoint() / "cache" / rig::kUuid;
  fs::create_directories(volume);
  ASSERT_EQ(::chown(volume.c_str(), 1234, 2345), 0);
  auto cache = Open(Options());
  ASSERT_TRUE(rig::PublishBlock(*cache, ABlock(1)));
  const auto tree = rig::CheckVolumeTree(volume, {0600, 1234, 2345});
  EXPECT_EQ(tree.blocks, 1U);
  EXPECT_THAT(tree.violations, IsEmpty());
  for (const char* folder : {"raw", "raw/chunks", "raw/chunks/0/0"}) {
    struct stat status{};
    ASSERT_EQ(::stat((volume / folder).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 1234U) << folder;
    EXPECT_EQ(status.st_mode & 07777, 0700U) << folder;
  }
}

INSTANTIATE_TEST_SUITE_P(Local, RealFileSystem, testing::Values("ext4", "xfs"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace prewarm::agent
