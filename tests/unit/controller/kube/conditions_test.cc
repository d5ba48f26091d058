#include "controller/kube/conditions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace prewarm::controller::kube {
namespace {

using testing::SizeIs;

constexpr WallTime kNoon{std::chrono::hours(12)};
constexpr WallTime kLater{std::chrono::hours(13)};

Conditions Ready(bool holds, std::string reason = "Read") {
  return {MakeCondition("Ready", holds, std::move(reason), "words")};
}

TEST(Conditions, KeepTheMomentWhileOnlyTheReasonChanges) {
  auto before = Ready(false, "Away");
  Follow({}, before, 1, kNoon);
  auto next = Ready(false, "Denied");
  Follow(before, next, 2, kLater);
  EXPECT_EQ(next[0].since, kNoon);
  EXPECT_EQ(next[0].observed_generation, 2);
  EXPECT_FALSE(SaySame(before, next));
}

TEST(Conditions, TakeANewMomentWhenTheStatusChanges) {
  auto before = Ready(false);
  Follow({}, before, 1, kNoon);
  auto next = Ready(true);
  Follow(before, next, 1, kLater);
  EXPECT_EQ(next[0].since, kLater);
}

TEST(Conditions, ComeBackAsTheyWereWritten) {
  auto conditions = Ready(true);
  Follow({}, conditions, 7, kNoon);
  const boost::json::object status{{"conditions", ToJson(conditions)}};
  EXPECT_EQ(ReadConditions(status), conditions);
}

TEST(Conditions, AreReadFromAnythingWhatever) {
  for (const auto* text :
       {R"({})", R"({"conditions": 3})", R"({"conditions": [1, null, "x", {}, {"type": 4}]})",
        R"({"conditions": [{"status": "True"}]})"}) {
    EXPECT_THAT(ReadConditions(boost::json::parse(text).as_object()), SizeIs(0)) << text;
  }
  const auto odd = boost::json::parse(
      R"({"conditions": [{"type": "Ready", "observedGeneration": -1, "lastTransitionTime": "?"}]})");
  EXPECT_THAT(ReadConditions(odd.as_object()), SizeIs(1));
}

TEST(Conditions, SayTheSameWheneverTheyWereSaid) {
  auto a = Ready(true);
  auto b = Ready(true);
  Follow({}, a, 1, kNoon);
  Follow({}, b, 1, kLater);
  EXPECT_TRUE(SaySame(a, b));
}

}  // namespace
}  // namespace prewarm::controller::kube
