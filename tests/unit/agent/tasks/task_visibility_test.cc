#include "agent/tasks/task_visibility.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr WallTime kStored{std::chrono::hours(500'000)};
const StoredBlocks kBlocks{"12345678-9abc-4def-8012-3456789abcde", "vol", {"/cache"}};

MountSettings Mount(std::chrono::nanoseconds interval) {
  MountSettings mount;
  mount.mount_point = "/mnt/jfs";
  mount.format.uuid = kBlocks.uuid;
  mount.format.name = kBlocks.volume_name;
  mount.cache_directories = kBlocks.cache_directories;
  mount.cache_size = 1 << 30;
  mount.scan_interval = interval;
  return mount;
}

TaskVisibility Judge(const MountSurvey& survey, Duration later = {}) {
  return JudgeTask(survey, kBlocks, kStored, kStored + later, seconds(5));
}

TEST(TaskVisibility, IsVisibleWhereNothingIsMountedOrTheClientLooksForEveryBlock) {
  EXPECT_EQ(Judge({}).state, TaskState::kVisible);
  EXPECT_EQ(Judge({{Mount(seconds(-1))}, {}}).state, TaskState::kVisible);
}

TEST(TaskVisibility, WaitsForTheNextScanAndItsWalk) {
  const MountSurvey survey{{Mount(minutes(1))}, {}};
  const auto before = Judge(survey, seconds(64));
  EXPECT_EQ(before.state, TaskState::kStored);
  EXPECT_EQ(before.at, kStored + seconds(65));
  EXPECT_EQ(Judge(survey, seconds(65)).state, TaskState::kVisible);
}

TEST(TaskVisibility, CountsAClientThatStartedAfterTheBlocksWereStored) {
  auto mount = Mount(minutes(60));
  mount.started = kStored + seconds(10);
  EXPECT_EQ(Judge({{mount}, {}}, seconds(20)).state, TaskState::kVisible);
  mount.scan_interval = seconds(0);
  EXPECT_EQ(Judge({{mount}, {}}, seconds(20)).state, TaskState::kVisible);
  mount.started = kStored - seconds(10);
  EXPECT_EQ(Judge({{mount}, {}}, seconds(20)).state, TaskState::kStored);
}

TEST(TaskVisibility, PromisesNothingForAClientThatNeverLooks) {
  auto elsewhere = Mount(seconds(-1));
  elsewhere.cache_directories = {"/other"};
  MountSurvey unreadable;
  unreadable.unreadable.emplace_back(MountEntry{"/mnt/jfs", "vol", "0:39", "/"},
                                     Fail(ErrorCode::kTimeout, "hangs"));
  for (const auto& survey :
       {MountSurvey{{Mount(seconds(0))}, {}}, MountSurvey{{elsewhere}, {}}, unreadable}) {
    const auto judged = Judge(survey, std::chrono::hours(100));
    EXPECT_EQ(judged.state, TaskState::kStored);
    EXPECT_FALSE(judged.at);
    EXPECT_THAT(judged.words, HasSubstr("/mnt/jfs"));
  }
}

TEST(TaskVisibility, IsThatOfTheWorstMount) {
  auto live = Mount(seconds(-1));
  live.mount_point = "/mnt/live";
  auto slow = Mount(minutes(10));
  slow.mount_point = "/mnt/slow";
  auto never = Mount(seconds(0));
  never.mount_point = "/mnt/never";
  EXPECT_EQ(Judge({{live, Mount(minutes(1)), slow}, {}}).at, kStored + seconds(605));
  EXPECT_FALSE(Judge({{live, slow, never}, {}}).at);
  EXPECT_EQ(JudgeAdoption(JudgeVisibility({{live, slow}, {}}, kBlocks, kStored)),
            Adoption::kRescan);
  EXPECT_EQ(JudgeAdoption(JudgeVisibility({}, kBlocks, kStored)), Adoption::kBeforeMount);
}

}  // namespace
}  // namespace prewarm::agent
