#include "controller/operator/status_pacer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace prewarm::controller {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const SteadyTime kStart{std::chrono::hours(1)};
const StatusPacer::Limits kLimits{seconds(10), 3};

TEST(StatusPacer, WritesOneObjectOnceInAWhile) {
  StatusPacer pacer(kLimits, kStart);
  EXPECT_THAT(pacer.Choose({"a"}, kStart), ElementsAre("a"));
  EXPECT_THAT(pacer.Choose({"a"}, kStart + seconds(9)), IsEmpty());
  EXPECT_THAT(pacer.Choose({"a"}, kStart + seconds(10)), ElementsAre("a"));
}

TEST(StatusPacer, CountsWhatWasWrittenForOtherReasons) {
  StatusPacer pacer(kLimits, kStart);
  pacer.Written("a", kStart);
  EXPECT_THAT(pacer.Choose({"a"}, kStart + seconds(5)), IsEmpty());
  pacer.Forget("a");
  EXPECT_THAT(pacer.Choose({"a"}, kStart + seconds(5)), ElementsAre("a"));
}

TEST(StatusPacer, IsBoundedOverAllAndForgetsNobody) {
  StatusPacer pacer(kLimits, kStart);
  std::vector<std::string> all;
  for (int i = 0; i < 100; ++i) all.push_back("p" + std::to_string(i));
  std::map<std::string, int> writes;
  std::size_t sum = 0;
  for (int second = 0; second < 120; ++second) {
    const auto chosen = pacer.Choose(all, kStart + seconds(second));
    EXPECT_LE(chosen.size(), 3);
    for (const auto& one : chosen) ++writes[one];
    sum += chosen.size();
  }
  EXPECT_EQ(sum, 360);
  EXPECT_THAT(writes, SizeIs(100));
  for (const auto& [one, times] : writes) EXPECT_GE(times, 3) << one;
}

TEST(StatusPacer, SavesNoMoreThanASecondsWorth) {
  StatusPacer pacer(kLimits, kStart);
  std::vector<std::string> all{"a", "b", "c", "d", "e"};
  EXPECT_THAT(pacer.Choose(all, kStart + std::chrono::hours(1)), SizeIs(3));
}

}  // namespace
}  // namespace prewarm::controller
