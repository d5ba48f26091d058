// Real mounts of the real JuiceFS client: what it says about itself, what we make of it, and what
// happens when it hangs.
#include "tests/integration/mount/live_mount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>

#include "agent/mount/visibility.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST_F(LiveMount, WhoseClientWasKilledIsNobodyWhoCouldSeeBlocks) {
  Mount("models", {"--cache-dir", folder_ / "cache"});
  const auto mount = ReadMount(folder_ / "models");
  ASSERT_TRUE(mount) << mount.error().message;
  // The client's supervisor goes first, or it would mount anew.
  client_->Signal(SIGKILL);
  ::kill(mount->pid, SIGKILL);
  const auto ended = [&] {
    const auto now = ReadMount(folder_ / "models");
    return !now && now.error().code == ErrorCode::kUnavailable;
  };
  ASSERT_TRUE(rig::WaitFor(ended)) << ReadMount(folder_ / "models").error().message;

  const MountSurvey survey = Survey();
  EXPECT_TRUE(survey.mounts.empty());
  ASSERT_EQ(survey.unreadable.size(), 1U);
  EXPECT_THAT(survey.unreadable[0].second.message, HasSubstr("its client has ended"));
  const auto answers = JudgeVisibility(
      survey,
      {.uuid = mount->format.uuid, .volume_name = "live", .cache_directories = {folder_ / "cache"}},
      SystemClock().WallNow());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].visibility, Visibility::kNextMount);
}

}  // namespace
}  // namespace prewarm::agent
