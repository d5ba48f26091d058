#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/mount/mounts.h"

namespace prewarm::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Mounts that answer or fail, and may be gone once somebody has asked.
class MountSurveyTest : public testing::Test {
 protected:
  void Mount(const std::string& place, const std::string& device,
             std::optional<ErrorCode> failure = std::nullopt) {
    table_.push_back({.mount_point = place, .volume_name = "models", .device = device});
    if (failure) failures_[place] = *failure;
  }

  MountSurvey Survey() {
    return SurveyOf({[this] { return table_; },
                     [this](const MountEntry& entry) -> Result<MountSettings> {
                       asked_.push_back(entry.mount_point);
                       if (gone_once_asked_) table_.clear();
                       const auto failure = failures_.find(entry.mount_point);
                       if (failure != failures_.end())
                         return Fail(failure->second, entry.mount_point);
                       MountSettings settings;
                       settings.mount_point = entry.mount_point;
                       return settings;
                     }});
  }

  static std::vector<std::string> Unreadable(const MountSurvey& survey) {
    std::vector<std::string> places;
    for (const auto& [entry, error] : survey.unreadable) places.push_back(entry.mount_point);
    return places;
  }

  std::vector<MountEntry> table_;
  std::map<std::string, ErrorCode> failures_;
  bool gone_once_asked_ = false;
  std::vector<std::string> asked_;
};

TEST_F(MountSurveyTest, AsksEachClientOnceAtTheFirstPlaceThatAnswers) {
  Mount("/a", "0:1", ErrorCode::kPermission);
  Mount("/b", "0:1");
  Mount("/c", "0:1");
  Mount("/d", "0:2");
  const auto survey = Survey();
  EXPECT_THAT(asked_, ElementsAre("/a", "/b", "/d"));
  ASSERT_EQ(survey.mounts.size(), 2U);
  EXPECT_EQ(survey.mounts[0].mount_point, "/b");
  EXPECT_EQ(survey.mounts[1].mount_point, "/d");
  EXPECT_THAT(survey.unreadable, IsEmpty());
}

TEST_F(MountSurveyTest, AsksAClientThatHangsNowhereElse) {
  Mount("/a", "0:1", ErrorCode::kNotFound);
  Mount("/b", "0:1", ErrorCode::kTimeout);
  Mount("/c", "0:1");
  const auto survey = Survey();
  EXPECT_THAT(asked_, ElementsAre("/a", "/b"));
  EXPECT_THAT(Unreadable(survey), ElementsAre("/a"));
  EXPECT_EQ(survey.unreadable.front().second.code, ErrorCode::kTimeout);
}

TEST_F(MountSurveyTest, LeavesOutWhatWasUnmountedMeanwhile) {
  for (const auto failure : {ErrorCode::kNotFound, ErrorCode::kTimeout}) {
    Mount("/a", "0:1", failure);
    EXPECT_THAT(Unreadable(Survey()), ElementsAre("/a"));
    gone_once_asked_ = true;
    EXPECT_THAT(Unreadable(Survey()), IsEmpty());
    gone_once_asked_ = false;
  }
}

TEST_F(MountSurveyTest, KeepsAClientThatIsGoneFromOneOfItsPlaces) {
  Mount("/a", "0:1", ErrorCode::kNotFound);
  Mount("/b", "0:1", ErrorCode::kPermission);
  const auto left = table_[1];
  const auto all = table_;
  int looks = 0;
  const auto survey = SurveyOf({[&] { return looks++ == 0 ? all : std::vector<MountEntry>{left}; },
                                [](const MountEntry& entry) -> Result<MountSettings> {
                                  return Fail(ErrorCode::kPermission, entry.mount_point);
                                }});
  EXPECT_THAT(Unreadable(survey), ElementsAre("/b"));
}

}  // namespace
}  // namespace prewarm::agent
