#include "agent/mount/visibility.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kUuid = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";

class VisibilityTest : public testing::Test {
 protected:
  VisibilityTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    mount_.mount_point = "/mnt/models";
    mount_.format.uuid = kUuid;
    mount_.format.name = "models";
    mount_.cache_directories = {"/data/cache"};
    mount_.cache_size = 100ULL << 30;
    mount_.scan_interval = 1h;
  }

  // 2026-11-24 plus `time`.
  static WallTime At(std::chrono::minutes time) {
    return WallTime(std::chrono::seconds(1795478400)) + time;
  }

  [[nodiscard]] MountVisibility Judge(WallTime now = At(13h + 50min)) const {
    MountSurvey survey;
    survey.mounts.push_back(mount_);
    const auto answers = JudgeVisibility(survey, blocks_, now);
    EXPECT_EQ(answers.size(), 1U);
    return answers.front();
  }

  MountSettings mount_;
  StoredBlocks blocks_{
      .uuid = kUuid, .volume_name = "models", .cache_directories = {"/data/cache"}};
};

TEST_F(VisibilityTest, WithoutAMountIsAtTheNextMount) {
  mount_.format.uuid = "99999999-4b5a-4978-8796-a5b4c3d2e1f0";
  const MountVisibility answer = Judge();
  EXPECT_EQ(answer.visibility, Visibility::kNextMount);
  EXPECT_EQ(answer.mount_point, "");
  EXPECT_THAT(answer.words, HasSubstr("visible at the next mount with --cache-dir=/data/cache"));
}

TEST_F(VisibilityTest, WithANegativeIntervalIsNow) {
  mount_.scan_interval = std::chrono::seconds(-1);
  const MountVisibility answer = Judge();
  EXPECT_EQ(answer.visibility, Visibility::kNow);
  EXPECT_THAT(answer.words, HasSubstr("visible now at /mnt/models (negative scan interval"));
}

TEST_F(VisibilityTest, WithIntervalZeroIsNeverByItself) {
  mount_.scan_interval = std::chrono::seconds(0);
  const MountVisibility answer = Judge();
  EXPECT_EQ(answer.visibility, Visibility::kNeverByItself);
  EXPECT_THAT(answer.words, HasSubstr("never see it by itself"));
  EXPECT_THAT(answer.words, HasSubstr("--cache-scan-interval=-1"));
  EXPECT_THAT(answer.words, HasSubstr("juicefs warmup"));
}

TEST_F(VisibilityTest, BeforeTheFirstRescanHasAnEarliestMoment) {
  mount_.started = At(13h + 32min);
  const MountVisibility answer = Judge(At(13h + 50min));
  EXPECT_EQ(answer.visibility, Visibility::kAfterRescan);
  EXPECT_EQ(answer.next_scan, At(14h + 32min));
  EXPECT_TRUE(answer.never_before_next_scan);
  EXPECT_THAT(answer.words,
              HasSubstr("stored; this client will not see it before 14:32 (scan every 1 h)"));
  EXPECT_THAT(answer.words, HasSubstr("--cache-scan-interval=-1"));
}

// Scans take time and the interval counts from the end of the last, so later ones drift.
TEST_F(VisibilityTest, AfterTheFirstRescanIsOnlyLikely) {
  mount_.started = At(9h + 32min);
  const MountVisibility answer = Judge(At(13h + 50min));
  EXPECT_EQ(answer.next_scan, At(14h + 32min));
  EXPECT_FALSE(answer.never_before_next_scan);
  EXPECT_EQ(answer.latest_scan, At(14h + 50min));
  EXPECT_THAT(answer.words, HasSubstr("due about 14:32, at the latest 14:50"));
}

TEST_F(VisibilityTest, OfAClientWhoseStartIsUnknownNamesOnlyTheLatestMoment) {
  mount_.scan_interval = 90min;
  const MountVisibility answer = Judge(At(13h + 50min));
  EXPECT_EQ(answer.visibility, Visibility::kAfterRescan);
  EXPECT_EQ(answer.next_scan, std::nullopt);
  EXPECT_FALSE(answer.never_before_next_scan);
  EXPECT_THAT(answer.words, HasSubstr("begins by 15:20"));
  EXPECT_THAT(answer.words, HasSubstr("scan every 1 h 30 min"));
}

TEST_F(VisibilityTest, OnAnotherDayNamesTheDate) {
  mount_.scan_interval = 36h;
  mount_.started = At(13h);
  EXPECT_THAT(Judge(At(14h)).words, HasSubstr("before 2026-11-26 01:00 (scan every 36 h)"));
}

TEST_F(VisibilityTest, OfAMountWithOtherDirectoriesIsNotClaimed) {
  mount_.scan_interval = std::chrono::seconds(-1);
  mount_.cache_directories = {"/ssd/cache"};
  const MountVisibility answer = Judge();
  EXPECT_EQ(answer.visibility, Visibility::kNextMount);
  EXPECT_EQ(answer.mount_point, "/mnt/models");
  EXPECT_THAT(answer.words,
              HasSubstr("uses other cache directories (/ssd/cache) and does not look here"));
  EXPECT_THAT(answer.words, Not(HasSubstr("visible")));
}

TEST_F(VisibilityTest, OfAMountThatSharesOnlySomeDirectoriesIsNotClaimed) {
  mount_.scan_interval = std::chrono::seconds(-1);
  mount_.cache_directories = {"/data/cache", "/ssd/cache"};
  const MountVisibility answer = Judge();
  EXPECT_EQ(answer.visibility, Visibility::kNextMount);
  EXPECT_THAT(answer.words, HasSubstr("another set of cache directories"));
}

TEST_F(VisibilityTest, SeesThroughWildcardsAndOrder) {
  mount_.scan_interval = std::chrono::seconds(-1);
  mount_.cache_directories = {"/data/cache*"};
  blocks_.cache_directories = {"/data/cache2", "/data/cache1"};
  EXPECT_EQ(Judge().visibility, Visibility::kNow);
  mount_.cache_directories = {"/data/cache1", "/data/cache2"};
  EXPECT_EQ(Judge().visibility, Visibility::kNow);
  blocks_.cache_directories = {"/data/cache*"};
  EXPECT_EQ(Judge().visibility, Visibility::kNow);
  blocks_.cache_directories = {"/data/*"};
  mount_.cache_directories = {"/data/cache1/deeper"};
  EXPECT_EQ(Judge().visibility, Visibility::kNextMount);
}

TEST_F(VisibilityTest, OfAMemoryCacheIsNotClaimed) {
  mount_.scan_interval = std::chrono::seconds(-1);
  mount_.disk_cache = false;
  mount_.cache_directories.clear();
  EXPECT_EQ(Judge().visibility, Visibility::kNextMount);
  EXPECT_THAT(Judge().words, HasSubstr("keeps its cache in memory"));
  mount_.cache_size = 0;
  EXPECT_THAT(Judge().words, HasSubstr("cache size 0"));
}

TEST_F(VisibilityTest, OfAnUnreadableMountIsUnknownIfItIsThisVolume) {
  MountSurvey survey;
  survey.unreadable.emplace_back(MountEntry{"/mnt/models", "models", "0:39", "/"},
                                 Fail(ErrorCode::kTimeout, "/mnt/models did not answer"));
  survey.unreadable.emplace_back(MountEntry{"/mnt/else", "else", "0:40", "/"},
                                 Fail(ErrorCode::kTimeout, "/mnt/else did not answer"));
  const auto answers = JudgeVisibility(survey, blocks_, At(0min));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].visibility, Visibility::kUnknown);
  EXPECT_THAT(answers[0].words, HasSubstr("/mnt/models did not answer"));
}

TEST_F(VisibilityTest, AnswersForEachMountOfTheVolume) {
  MountSurvey survey;
  survey.mounts = {mount_, mount_};
  survey.mounts[1].mount_point = "/mnt/second";
  survey.mounts[1].scan_interval = std::chrono::seconds(-1);
  const auto answers = JudgeVisibility(survey, blocks_, At(0min));
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].visibility, Visibility::kAfterRescan);
  EXPECT_EQ(answers[1].visibility, Visibility::kNow);
  EXPECT_EQ(answers[1].mount_point, "/mnt/second");
}

}  // namespace
}  // namespace prewarm::agent
