// Others at work on the same blocks at the same time: a client that writes, its scanner that
// removes empty folders, an evictor, and a second process of ours. Whole or absent, at every
// moment.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "agent/cache/block_cache.h"
#include "tests/faults/watcher.h"
#include "tests/rig/cache_fixture.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;
using rig::ABlock;
using testing::IsEmpty;

constexpr std::uint64_t kSlices = 40;

juicefs::BlockId NthBlock(std::uint64_t n) {
  return ABlock((n % kSlices + 1) * 1000, 0, 70000);  // each in a folder of its own
}

class Racers : public testing::Test {
 protected:
  Racers() : cache_(*BlockCache::Open(rig::CacheAt({folder_ / "cache"}))) {}
  ~Racers() override { StopAll(); }

  template <class Step>
  void Start(Step step) {
    threads_.emplace_back([this, step]() mutable {
      for (std::uint64_t n = 0; !stop_; ++n) step(n);
    });
  }
  void StopAll() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] fs::path Volume() const { return folder_.path() / "cache" / rig::kUuid; }
  [[nodiscard]] fs::path PathOf(std::uint64_t n) const {
    return rig::OraclePath(Volume(), rig::Oracle(NthBlock(n)));
  }
  void Evict(std::uint64_t n) const {
    std::error_code gone;
    fs::remove(PathOf(n), gone);
  }
  // As the client does: no O_EXCL, no O_TRUNC, no sync.
  void WriteLikeTheClient(std::uint64_t n) const {
    std::error_code error;
    fs::create_directories(PathOf(n).parent_path(), error);
    const std::string temporary = PathOf(n).string() + ".tmp";
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    const auto file = rig::OracleFile(rig::Oracle(NthBlock(n)));
    const bool written = ::write(fd, file.data(), file.size()) == static_cast<ssize_t>(file.size());
    ::close(fd);
    if (written) ::rename(temporary.c_str(), PathOf(n).c_str());
  }
  // Publishes every block `rounds` times and expects to succeed each time.
  void PublishRounds(std::uint64_t rounds) {
    for (std::uint64_t n = 0; n < rounds * kSlices; ++n) {
      const auto published = rig::PublishBlock(*cache_, NthBlock(n));
      ASSERT_TRUE(published) << published.error().message;
      ++(*published == Published::kStored ? stored_ : there_);
    }
  }

  rig::TempDir folder_;
  std::unique_ptr<BlockCache> cache_;
  std::uint64_t stored_ = 0;
  std::uint64_t there_ = 0;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

TEST_F(Racers, AClientThatWritesTheSameBlocksAndAnEvictor) {
  faults::Watcher watcher(Volume(), rig::ExpectedOfUs());
  Start([this](std::uint64_t n) { WriteLikeTheClient(n); });
  Start([this](std::uint64_t n) { Evict(n * 7); });
  PublishRounds(8);
  StopAll();
  watcher.Stop();
  EXPECT_THAT(watcher.violations(), IsEmpty());
  EXPECT_GT(watcher.reads(), 0U);
  EXPECT_GT(stored_, 0U);
  EXPECT_GT(there_, 0U);
}

TEST_F(Racers, AScannerThatRemovesFoldersAsSoonAsTheyAreEmpty) {
  std::atomic<std::uint64_t> removed{0};
  // Walks on and on, thousands of times what the client's scanner does in an hour; but it comes to
  // a folder once in a round, as that does.
  Start([&](std::uint64_t n) {
    Evict(n);
    if (::rmdir(PathOf(n).parent_path().c_str()) == 0) ++removed;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  PublishRounds(20);
  StopAll();
  EXPECT_GT(removed, 0U);
  const auto tree = rig::CheckVolumeTree(Volume(), rig::ExpectedOfUs());
  EXPECT_THAT(tree.violations, IsEmpty());
  EXPECT_THAT(tree.strays, IsEmpty());
}

TEST_F(Racers, SomebodyWhoSwapsAFolderForASymlink) {
  const fs::path outside = folder_.path() / "outside";
  fs::create_directory(outside);
  fs::create_directories(Volume() / "raw" / "chunks" / "0");
  fs::create_directory_symlink(outside, folder_.path() / "link");
  const fs::path folder = Volume() / "raw" / "chunks" / "0" / "1";
  fs::create_directory(folder);
  Start([&](std::uint64_t) {
    ::renameat2(AT_FDCWD, (folder_.path() / "link").c_str(), AT_FDCWD, folder.c_str(),
                RENAME_EXCHANGE);
  });
  std::uint64_t refused = 0;
  for (unsigned i = 0; i < 2000 && (refused == 0 || i < 500); ++i) {
    const auto published = rig::PublishBlock(*cache_, ABlock(1000 + i, 0, 100));
    if (published) continue;
    EXPECT_EQ(published.error().reason, Reason::kForeignFile) << published.error().message;
    ++refused;
  }
  StopAll();
  EXPECT_GT(refused, 0U);
  EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(Racers, ASecondProcessOnTheSameDirectory) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto cache = BlockCache::Open(rig::CacheAt({folder_ / "cache"}));
    bool good = cache.has_value();
    for (std::uint64_t n = 0; good && n < 3 * kSlices; ++n) {
      good = rig::PublishBlock(**cache, NthBlock(n)).has_value();
    }
    ::_exit(good ? 0 : 1);
  }
  PublishRounds(3);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const auto tree = rig::CheckVolumeTree(Volume(), rig::ExpectedOfUs());
  EXPECT_EQ(tree.blocks, kSlices);
  EXPECT_THAT(tree.violations, IsEmpty());
  EXPECT_THAT(tree.strays, IsEmpty());
}

}  // namespace
}  // namespace prewarm::agent
