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

const StoredTask kTask{kBlocks, kStored, seconds(5), false};

ClientAnswer Said(CacheVerdict verdict, Duration later = {}) {
  return {verdict, kStored + later, "what it said"};
}

TaskVisibility Judge(const MountSurvey& survey, const ClientAnswers& answers, Duration later = {}) {
  return JudgeTask(survey, kTask, kStored + later, answers);
}

TaskVisibility Judge(const MountSettings& mount, CacheVerdict verdict, Duration later = {}) {
  return Judge({{mount}, {}}, {{mount.mount_point, Said(verdict, later)}}, later);
}

TEST(TaskVisibility, IsVisibleWhereNothingIsMounted) {
  EXPECT_EQ(Judge({}, {}).state, TaskState::kVisible);
}

TEST(TaskVisibility, IsWhatTheClientsSayWhateverTheClockWouldSay) {
  for (const auto interval : {seconds(-1), seconds(0), seconds(3600)}) {
    const auto found = Judge(Mount(interval), CacheVerdict::kFindsAll);
    EXPECT_EQ(found.state, TaskState::kVisible);
    EXPECT_THAT(found.words, HasSubstr("what it said"));
    const auto missed = Judge(Mount(interval), CacheVerdict::kMisses, std::chrono::hours(10));
    EXPECT_EQ(missed.state, TaskState::kStored);
    EXPECT_FALSE(missed.at);
    EXPECT_THAT(missed.words, HasSubstr("what it said"));
  }
}

TEST(TaskVisibility, IsNotFinalBeforeTheClientsHaveAnswered) {
  for (const auto interval : {seconds(-1), seconds(0), seconds(60)}) {
    const auto pending = Judge({{Mount(interval)}, {}}, {}, std::chrono::hours(10));
    EXPECT_EQ(pending.state, TaskState::kStored);
    EXPECT_TRUE(pending.at) << "a task without it counts as failed";
  }
}

TEST(TaskVisibility, LeavesAClientThatMissesBlocksTheTimeOfThreeScans) {
  const auto mount = Mount(minutes(1));
  const auto at = [&](Duration later) { return Judge(mount, CacheVerdict::kMisses, later).at; };
  EXPECT_EQ(at(seconds(2)), kStored + seconds(65));
  EXPECT_EQ(at(seconds(70)), kStored + seconds(135));
  EXPECT_EQ(at(seconds(190)), kStored + seconds(255));
  EXPECT_EQ(at(seconds(195)), std::nullopt);
}

TEST(TaskVisibility, IsInferredFromTheClockOnlyWhereNoAnswerSettlesIt) {
  for (const auto verdict : {CacheVerdict::kNotAsked, CacheVerdict::kUnsettled}) {
    const auto before = Judge(Mount(minutes(1)), verdict, seconds(64));
    EXPECT_EQ(before.state, TaskState::kStored);
    EXPECT_EQ(before.at, kStored + seconds(65));
    const auto after = Judge(Mount(minutes(1)), verdict, seconds(65));
    EXPECT_EQ(after.state, TaskState::kVisible);
    EXPECT_THAT(after.words, HasSubstr("what it said"));
    EXPECT_THAT(after.words, HasSubstr("as far as the clock tells"));
    const auto live = Judge(Mount(seconds(-1)), verdict);
    EXPECT_EQ(live.state, TaskState::kVisible);
    EXPECT_THAT(live.words, HasSubstr("what it said"));
  }
}

TEST(TaskVisibility, InfersThatAClientThatStartedLaterFoundTheBlocksInItsFirstScan) {
  auto mount = Mount(minutes(60));
  mount.started = kStored + seconds(10);
  EXPECT_EQ(Judge(mount, CacheVerdict::kNotAsked, seconds(20)).state, TaskState::kVisible);
  mount.scan_interval = seconds(0);
  EXPECT_EQ(Judge(mount, CacheVerdict::kNotAsked, seconds(20)).state, TaskState::kVisible);
  mount.started = kStored - seconds(10);
  EXPECT_EQ(Judge(mount, CacheVerdict::kNotAsked, seconds(20)).state, TaskState::kStored);
}

MountSurvey Hung() {
  MountSurvey survey;
  survey.unreadable.emplace_back(MountEntry{"/mnt/jfs", "vol", "0:39", "/"},
                                 Fail(ErrorCode::kTimeout, "hangs"));
  return survey;
}

TEST(TaskVisibility, LeavesAMountThatDoesNotAnswerHalfAMinute) {
  const auto at = [](Duration later) { return Judge(Hung(), {}, later).at; };
  EXPECT_EQ(at(seconds(2)), kStored + seconds(7));
  EXPECT_EQ(at(seconds(28)), kStored + seconds(30));
  EXPECT_EQ(at(seconds(30)), std::nullopt);
}

TEST(TaskVisibility, PromisesNothingForAClientThatNeverLooks) {
  auto elsewhere = Mount(seconds(-1));
  elsewhere.cache_directories = {"/other"};
  const ClientAnswers answers{{"/mnt/jfs", Said(CacheVerdict::kNotAsked)}};
  for (const auto& survey :
       {MountSurvey{{Mount(seconds(0))}, {}}, MountSurvey{{elsewhere}, {}}, Hung()}) {
    const auto judged = Judge(survey, answers, std::chrono::hours(100));
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
  const ClientAnswers answers{{"/mnt/live", Said(CacheVerdict::kFindsAll)},
                              {"/mnt/slow", Said(CacheVerdict::kMisses)},
                              {"/mnt/never", Said(CacheVerdict::kMisses)}};
  EXPECT_EQ(Judge({{live, Mount(minutes(1)), slow}, {}}, answers).at, kStored + seconds(605));
  EXPECT_FALSE(Judge({{live, slow, never}, {}}, answers).at);
  EXPECT_EQ(JudgeAdoption(JudgeVisibility({{live, slow}, {}}, kBlocks, kStored)),
            Adoption::kRescan);
  EXPECT_EQ(JudgeAdoption(JudgeVisibility({}, kBlocks, kStored)), Adoption::kBeforeMount);
}

std::optional<Duration> AskedAfter(const MountSettings& mount, AskHistory history = {},
                                   bool was_there = false) {
  auto task = kTask;
  task.was_there = was_there;
  const MountSurvey survey{{mount}, {}};
  const auto judged = JudgeVisibility(survey, kBlocks, kStored);
  const auto when = WhenToAsk(survey, judged.front(), task, history);
  if (!when) return std::nullopt;
  return *when - kStored;
}

TEST(WhenToAsk, IsAtOnceWhereTheBlocksCanBeVisibleAtOnce) {
  EXPECT_EQ(AskedAfter(Mount(seconds(-1))), Duration::zero());
  EXPECT_EQ(AskedAfter(Mount(seconds(0))), Duration::zero());
  EXPECT_EQ(AskedAfter(Mount(minutes(60)), {}, true), Duration::zero()) << "nothing was fetched";
  auto newer = Mount(minutes(60));
  newer.started = kStored + seconds(10);
  EXPECT_EQ(AskedAfter(newer), Duration::zero());
}

TEST(WhenToAsk, IsNotBeforeTheFirstRescanOfAClientWhoseStartIsKnown) {
  auto mount = Mount(minutes(60));
  EXPECT_EQ(AskedAfter(mount), seconds(2)) << "it may scan at any moment";
  mount.started = kStored - minutes(20);
  EXPECT_EQ(AskedAfter(mount), minutes(40));
  EXPECT_EQ(AskedAfter(mount, {1, kStored, {}}, true), minutes(40));
  mount.started = kStored - minutes(80);
  EXPECT_EQ(AskedAfter(mount), seconds(2)) << "scans begin later and later after the interval";
}

TEST(WhenToAsk, IsLaterAndLaterAndRareIfAnAnswerTakesLong) {
  const auto mount = Mount(minutes(60));
  const auto after = [&](int times, Duration took) {
    return AskedAfter(mount, {times, kStored + minutes(1), took}).value() - minutes(1);
  };
  EXPECT_EQ(after(1, {}), seconds(2));
  EXPECT_EQ(after(2, {}), seconds(4));
  EXPECT_EQ(after(5, {}), seconds(32));
  EXPECT_EQ(after(6, {}), seconds(60));
  EXPECT_EQ(after(1000, {}), seconds(60));
  EXPECT_EQ(after(1, seconds(10)), seconds(200));
}

TEST(WhenToAsk, IsNeverWhereTheClientLooksElsewhere) {
  auto elsewhere = Mount(seconds(-1));
  elsewhere.cache_directories = {"/other"};
  EXPECT_FALSE(AskedAfter(elsewhere));
}

}  // namespace
}  // namespace prewarm::agent
