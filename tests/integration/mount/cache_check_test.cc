// The real client asked what it finds in its cache: what it counts, and that nothing but its own
// control file is ever written to.
#include "agent/mount/cache_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "tests/integration/mount/live_mount.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

constexpr std::uint64_t kBlock = 4 << 20;

class CacheCheck : public LiveMount {
 protected:
  void MountModels(std::vector<std::string> options = {"--cache-scan-interval=-1"}) {
    options.insert(options.end(), {"--cache-dir", folder_ / "cache"});
    Mount("models", std::move(options));
    const auto mount = ReadMount(folder_ / "models");
    ASSERT_TRUE(mount) << mount.error().message;
    mount_ = *mount;
  }
  // Whole blocks, so that none of them stays in the cache of what wrote them.
  void Write(const std::string& name, std::uint64_t blocks) const {
    const auto path = folder_.path() / "models" / name;
    std::filesystem::create_directories(path.parent_path());
    std::mt19937 random(std::random_device{}());
    std::string bytes(blocks * kBlock, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    std::ofstream(path) << bytes;
  }
  void Read(const std::string& name) const {
    std::ostringstream bytes;
    bytes << std::ifstream(folder_.path() / "models" / name).rdbuf();
  }
  [[nodiscard]] CacheCount Count(const std::vector<std::string>& paths) const {
    const auto count = CheckCache(mount_, paths, {});
    EXPECT_TRUE(count) << count.error().message;
    return count.value_or(CacheCount{});
  }
  [[nodiscard]] std::vector<std::filesystem::path> CachedBlocks() const {
    std::vector<std::filesystem::path> blocks;
    const auto raw = folder_.path() / "cache" / mount_.format.uuid / "raw";
    if (!std::filesystem::exists(raw)) return blocks;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(raw)) {
      if (entry.is_regular_file()) blocks.push_back(entry.path());
    }
    return blocks;
  }
  void Stop() {
    serving_ = mount_.pid;
    ASSERT_EQ(::kill(serving_, SIGSTOP), 0);
  }

  MountSettings mount_;
};

TEST_F(CacheCheck, CountsWhatIsMissingAndWhatIsNot) {
  MountModels();
  Write("m/weights", 3);
  Write("m/sub/more", 2);
  ASSERT_TRUE(rig::WaitFor([&] { return Count({"/m"}).total_bytes == 5 * kBlock; }));
  EXPECT_EQ(Count({"/m"}), (CacheCount{2, 5 * kBlock, 5 * kBlock}));
  Read("m/weights");
  ASSERT_TRUE(rig::WaitFor([&] { return Count({"/m"}).missing_bytes == 2 * kBlock; }));
  EXPECT_EQ(Count({"/m/weights"}), (CacheCount{1, 3 * kBlock, 0}));
  EXPECT_EQ(Count({"/"}), Count({"/m", "/m/sub", "/m/weights"})) << "counted once";

  std::filesystem::remove(CachedBlocks().front());
  EXPECT_EQ(Count({"/m/weights"}).missing_bytes, kBlock);
}

TEST_F(CacheCheck, FollowsASymlinkThatItIsGivenAndCountsNothingForWhatIsNotThere) {
  MountModels();
  Write("v2/weights", 1);
  std::filesystem::create_directory_symlink("v2", folder_ / "models/current");
  std::filesystem::create_symlink("/etc", folder_ / "models/outside");
  ASSERT_TRUE(rig::WaitFor([&] { return Count({"/v2"}).total_bytes == kBlock; }));
  EXPECT_EQ(Count({"/current"}).total_bytes, kBlock);
  EXPECT_EQ(Count({"/current", "/v2"}).total_bytes, kBlock);
  EXPECT_EQ(Count({"/current/weights"}).total_bytes, kBlock);
  EXPECT_EQ(Count({"/outside"}), CacheCount());
  EXPECT_EQ(Count({"/nowhere"}), CacheCount());
}

TEST_F(CacheCheck, WritesOnlyToTheClientsOwnFile) {
  MountModels();
  std::ofstream(folder_ / "models/.jfs.control") << "a user's";
  Write("m/weights", 1);
  EXPECT_EQ(Count({"/"}).files, 2U);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "models/.jfs.control"), 8U);
}

TEST_F(CacheCheck, FindsTheControlFileOfAMountThatPrefixesItsOwnFiles) {
  const std::string place = folder_ / "models";
  std::filesystem::create_directories(place);
  places_.push_back(place);
  client_ = std::make_unique<rig::ChildProcess>(
      std::vector<std::string>{Client(), "mount", "--no-usage-report", "--prefix-internal",
                               "--cache-dir", folder_ / "cache", Meta(), place},
      folder_ / "mount.log");
  ASSERT_TRUE(rig::WaitFor([&] { return std::filesystem::exists(place + "/.jfs.config"); }))
      << client_->Log();
  mount_ = *ReadMount(place);
  std::ofstream(folder_ / "models/.control") << "a user's";
  EXPECT_EQ(Count({"/"}).files, 1U);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "models/.control"), 8U);
}

TEST_F(CacheCheck, TakesALongListOfPaths) {
  MountModels();
  Write("m/weights", 1);
  std::vector<std::string> paths{"/m"};
  for (int i = 0; i < 5000; ++i) paths.push_back("/" + std::to_string(i) + std::string(200, 'x'));
  ASSERT_TRUE(rig::WaitFor([&] { return Count(paths).total_bytes == kBlock; }));
}

TEST_F(CacheCheck, IsNeverPutToAClientThatWouldWarmInstead) {
  MountModels();
  Write("m/weights", 2);
  ASSERT_TRUE(rig::WaitFor([&] { return Count({"/m"}).total_bytes == 2 * kBlock; }));
  mount_.version = "1.1.2+2023-12-01.abc";
  const auto refused = CheckCache(mount_, {"/m"}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("1.1.2"));
  EXPECT_TRUE(CachedBlocks().empty());
}

TEST_F(CacheCheck, OfAMountThatHangsIsGivenUpAtItsLimit) {
  MountModels();
  ASSERT_NO_FATAL_FAILURE(Stop());
  const SteadyTime begin = SystemClock().Now();
  const auto answer = CheckCache(mount_, {"/"}, {}, {.silence = 500ms});
  EXPECT_LT(SystemClock().Now() - begin, 5s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
  ASSERT_EQ(::kill(serving_, SIGCONT), 0);
  EXPECT_TRUE(rig::WaitFor([&] { return CheckCache(mount_, {"/"}, {}).has_value(); }));
}

TEST_F(CacheCheck, EndsAtOnceWhenItIsStopped) {
  MountModels();
  ASSERT_NO_FATAL_FAILURE(Stop());
  std::stop_source stop;
  std::thread asking([&] {
    const auto answer = CheckCache(mount_, {"/"}, stop.get_token());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  });
  const SteadyTime begin = SystemClock().Now();
  stop.request_stop();
  asking.join();
  EXPECT_LT(SystemClock().Now() - begin, 1s);
}

TEST_F(CacheCheck, IsUnavailableOnceTheClientHasGone) {
  MountModels();
  client_->Signal(SIGKILL);
  ASSERT_EQ(::umount2(mount_.mount_point.c_str(), MNT_DETACH), 0);
  const auto answer = CheckCache(mount_, {"/"}, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace prewarm::agent
