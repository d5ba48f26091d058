#include "controller/plan/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "common/base/units.h"

namespace prewarm::controller {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::uint64_t kMB = 1'000'000;

Node ANode(const std::string& name, std::uint64_t store_rate) {
  Node node;
  node.name = name;
  node.connected = true;
  node.measured_store_rate = store_rate;
  return node;
}

WallTime At(int hour, int minute, int second) {
  std::tm local{};
  local.tm_year = 126;
  local.tm_mon = 5;
  local.tm_mday = 15;
  local.tm_hour = hour;
  local.tm_min = minute;
  local.tm_sec = second;
  local.tm_isdst = -1;
  return std::chrono::system_clock::from_time_t(std::mktime(&local));
}

class Words : public testing::Test {
 protected:
  [[nodiscard]] Forecast In(Duration time, std::optional<WallTime> deadline,
                            std::uint64_t rate = 1'400 * kMB) const {
    const std::vector<QueuedTask> tasks{
        {"p", "a", {}, 1}, {"p", "b", {}, 1}, {"other", "a", {}, 1}};
    const auto last = std::chrono::duration<double>(time).count();
    return ForecastOf("p", deadline, tasks,
                      {{{"p", "a"}, last / 2}, {{"p", "b"}, last}, {{"other", "a"}, 1e6}}, rate,
                      now_);
  }

  WallTime now_ = At(12, 0, 0);
};

TEST_F(Words, SayHowLate) {
  const auto forecast = In(seconds(190), At(12, 2, 0));
  EXPECT_EQ(forecast.words,
            "will finish 12:03:10, deadline 12:02:00: 70 s late; at 1.4 GB/s from the store");
  EXPECT_EQ(forecast.finish, At(12, 3, 10));
  EXPECT_EQ(forecast.late, seconds(70));
  EXPECT_EQ(forecast.bytes_per_second, 1'400 * kMB);
}

TEST_F(Words, SayHowMuchTimeIsToSpare) {
  const auto forecast = In(seconds(70), At(12, 2, 0), 850 * kMB);
  EXPECT_EQ(forecast.words,
            "will finish 12:01:10, deadline 12:02:00: 50 s to spare; at 850 MB/s from the store");
  EXPECT_EQ(forecast.late, std::nullopt);
}

TEST_F(Words, AreShortWithoutADeadline) {
  EXPECT_EQ(In(seconds(190), std::nullopt).words,
            "will finish 12:03:10; at 1.4 GB/s from the store");
  EXPECT_EQ(In(seconds(190), std::nullopt, 0).words, "will finish 12:03:10");
}

TEST_F(Words, AgreeWithTheShownTimesBelowASecond) {
  const auto late = In(milliseconds(119'990), At(12, 1, 59) + milliseconds(980));
  EXPECT_EQ(late.late, milliseconds(10));
  EXPECT_EQ(late.words,
            "will finish 12:02:00, deadline 12:01:59: 1 s late; at 1.4 GB/s from the store");
  const auto in_time = In(milliseconds(119'500), At(12, 2, 0));
  EXPECT_EQ(in_time.late, std::nullopt);
  EXPECT_EQ(in_time.words,
            "will finish 12:02:00, deadline 12:02:00: just in time; at 1.4 GB/s from the store");
}

TEST_F(Words, UseMinutesAndDatesForLongTimes) {
  EXPECT_EQ(In(hours(3), At(12, 57, 30)).words,
            "will finish 15:00:00, deadline 12:57:30: 2 h 02 min late; at 1.4 GB/s from the store");
  EXPECT_EQ(In(hours(48), At(12, 0, 0) + hours(1)).words,
            "will finish 2026-06-17 12:00:00, deadline 13:00:00: 47 h 00 min late; at 1.4 GB/s "
            "from the store");
}

TEST_F(Words, SayThatNothingIsKnown) {
  const std::vector<QueuedTask> tasks{{"p", "a", {}, 1}};
  const auto forecast = ForecastOf("p", At(12, 2, 0), tasks, {}, 0, now_);
  EXPECT_EQ(forecast.words, "no forecast: nothing is known of the rates yet, deadline 12:02:00");
  EXPECT_EQ(forecast.finish, std::nullopt);
  EXPECT_EQ(forecast.late, std::nullopt);
}

TEST_F(Words, SayWhichPartOfTheNodesIsNotInTheForecast) {
  const std::vector<QueuedTask> tasks{{"p", "a", {}, 1}, {"p", "b", {}, 1}, {"p", "c", {}, 1}};
  const auto forecast = ForecastOf("p", std::nullopt, tasks, {{{"p", "a"}, 10.0}}, kMB, now_);
  EXPECT_EQ(forecast.words,
            "will finish 12:00:10; at 1.0 MB/s from the store; without 2 of 3 nodes, whose rates "
            "are not known");
}

TEST_F(Words, OfWhatIsDoneSayNow) {
  const auto forecast = ForecastOf("p", At(11, 59, 0), {}, {}, 0, now_);
  EXPECT_EQ(forecast.finish, now_);
  EXPECT_EQ(forecast.words, "will finish 12:00:00, deadline 11:59:00: 60 s late");
}

TEST_F(Words, SurviveAForecastOfCenturies) {
  const auto forecast = In(hours(24 * 365 * 200), std::nullopt);
  EXPECT_GT(*forecast.finish, now_ + hours(24 * 365 * 9));
}

TEST(GoesBefore, RanksByPriorityThenDeadlineThenAge) {
  const WallTime noon{hours(12)};
  const std::vector<Rank> ranks{{2, std::nullopt, 9},      {1, noon, 5},         {1, noon, 6},
                                {1, noon + seconds(1), 1}, {1, std::nullopt, 0}, {0, noon, 0}};
  for (std::size_t a = 0; a < ranks.size(); ++a) {
    for (std::size_t b = 0; b < ranks.size(); ++b) {
      EXPECT_EQ(GoesBefore(ranks[a], ranks[b]), a < b) << a << " " << b;
    }
  }
}

TEST(ExpectedRate, IsTheStoresWithinWhatDiskAndLimitsAllow) {
  auto node = ANode("a", 1000);
  EXPECT_EQ(ExpectedRate(node, {}), 1000U);
  node.measured_disk_rate = 800;
  EXPECT_EQ(ExpectedRate(node, {}), 800U);
  EXPECT_EQ(ExpectedRate(node, {.node_download = 700}), 700U);
  EXPECT_EQ(ExpectedRate(node, {.node_download = 700, .node_disk_write = 600}), 600U);
  EXPECT_EQ(ExpectedRate(node, {.origin = 1}), 800U) << "the fleet's budget is not the node's";
  node.download_limit = 1;
  EXPECT_EQ(ExpectedRate(node, {}), 800U) << "what the budget left it last is not what it can do";
}

TEST(ExpectedRate, OfANodeThatWasNeverMeasuredIsItsLimit) {
  auto node = ANode("a", 0);
  node.measured_disk_rate = 800;
  EXPECT_EQ(ExpectedRate(node, {}), 0U);
  EXPECT_EQ(ExpectedRate(node, {.node_download = 700}), 700U);
  EXPECT_EQ(ExpectedRate(node, {.node_download = 900}), 800U);
  EXPECT_EQ(ExpectedRate(node, {.node_disk_write = 600}), 0U) << "says nothing of the link";
}

TEST(PredictFinish, WorksEachQueueByRank) {
  const std::vector<Node> nodes{ANode("a", 100), ANode("b", 50)};
  const std::vector<QueuedTask> tasks{{"low", "a", {0, {}, 1}, 1000},
                                      {"high", "a", {5, {}, 2}, 500},
                                      {"low", "b", {0, {}, 1}, 1000}};
  EXPECT_THAT(
      PredictFinish(nodes, tasks, {}),
      ElementsAre(Pair(TaskKey("high", "a"), DoubleEq(5)), Pair(TaskKey("low", "a"), DoubleEq(15)),
                  Pair(TaskKey("low", "b"), DoubleEq(20))));
}

TEST(PredictFinish, GivesTheBudgetToTheMoreUrgentUntilTheyAreDone) {
  const std::vector<Node> nodes{ANode("a", 100), ANode("b", 100), ANode("c", 100)};
  const std::vector<QueuedTask> tasks{{"high", "a", {5, {}, 2}, 500},
                                      {"low", "b", {0, {}, 1}, 500},
                                      {"low", "c", {0, {}, 1}, 1000}};
  // a: 100 for 5 s. b and c: 10 each for 5 s, then 60 each; b ends after 12.5 s, c goes on at 100.
  EXPECT_THAT(PredictFinish(nodes, tasks, {.origin = 120}),
              ElementsAre(Pair(TaskKey("high", "a"), DoubleEq(5)),
                          Pair(TaskKey("low", "b"), DoubleEq(12.5)),
                          Pair(TaskKey("low", "c"), DoubleEq(17.5))));
}

TEST(PredictFinish, EndsAtOnceWhatMissesNothing) {
  const std::vector<Node> nodes{ANode("a", 100)};
  const std::vector<QueuedTask> tasks{{"high", "a", {5, {}, 1}, 500},
                                      {"there", "a", {0, {}, 2}, 0}};
  EXPECT_EQ(PredictFinish(nodes, tasks, {}).at({"there", "a"}), 0);
}

TEST(PredictFinish, LeavesOutNodesThatAreAwayOrUnknown) {
  auto away = ANode("away", 100);
  away.connected = false;
  const std::vector<Node> nodes{away, ANode("unmeasured", 0)};
  const std::vector<QueuedTask> tasks{
      {"p", "away", {}, 100}, {"p", "unmeasured", {}, 100}, {"p", "gone", {}, 100}};
  EXPECT_THAT(PredictFinish(nodes, tasks, {}), IsEmpty());
}

TEST(PredictFinish, TakesTheBudgetForTheRateOfANodeThatWasNeverMeasured) {
  const std::vector<Node> nodes{ANode("a", 0), ANode("b", 0)};
  const std::vector<QueuedTask> tasks{{"p", "a", {}, 100}, {"p", "b", {}, 100}};
  EXPECT_THAT(
      PredictFinish(nodes, tasks, {.origin = 20}),
      ElementsAre(Pair(TaskKey("p", "a"), DoubleEq(10)), Pair(TaskKey("p", "b"), DoubleEq(10))));
}

std::map<std::string, std::uint64_t> Divide(const std::vector<NodeDemand>& demands,
                                            std::uint64_t budget) {
  return DivideBudget(demands, budget);
}

// More ends than are simulated one by one. What the whole fleet needs follows from the budget
// alone, because each node could use all of it.
TEST(PredictFinish, IsRightWithinAPercentForAFleetFullOfWork) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<Node> nodes;
  std::vector<QueuedTask> queue;
  double bytes = 0;
  for (int n = 0; n < 1'000; ++n) {
    Node node;
    node.name = "n" + std::to_string(n);
    node.connected = true;
    node.measured_store_rate = 1'000'000;
    nodes.push_back(node);
    for (int t = 0; t < 100; ++t) {
      const Rank rank{static_cast<int>(random() % 3), std::nullopt, static_cast<std::uint64_t>(t)};
      queue.push_back({"p" + std::to_string(t), node.name, rank, 1 + random() % 1'000'000});
      bytes += static_cast<double>(queue.back().missing_bytes);
    }
  }
  FleetLimits limits;
  limits.origin = 1'000'000;
  const auto finish = PredictFinish(nodes, queue, limits);
  ASSERT_EQ(finish.size(), queue.size());
  double last = 0;
  for (const auto& [task, seconds] : finish) last = std::max(last, seconds);
  EXPECT_NEAR(last, bytes / 1e6, 0.01 * bytes / 1e6);
}

TEST(DivideBudget, SharesEvenlyAmongEquals) {
  EXPECT_THAT(Divide({{"a", {}, 0}, {"b", {}, 0}, {"c", {}, 0}}, 300),
              ElementsAre(Pair("a", 100), Pair("b", 100), Pair("c", 100)));
}

TEST(DivideBudget, GivesWhatOneCannotUseToTheOthers) {
  EXPECT_THAT(Divide({{"a", {}, 0}, {"b", {}, 20}, {"c", {}, 200}}, 300),
              ElementsAre(Pair("a", 140), Pair("b", 20), Pair("c", 140)));
}

TEST(DivideBudget, ServesTheMoreUrgentFirst) {
  EXPECT_THAT(Divide({{"a", {0, {}, 1}, 0}, {"b", {5, {}, 2}, 250}, {"c", {5, {}, 3}, 40}}, 300),
              ElementsAre(Pair("a", 10), Pair("b", 250), Pair("c", 40)));
}

TEST(DivideBudget, LeavesTheLeastPositiveRateToThoseThatGetNothing) {
  EXPECT_THAT(Divide({{"a", {0, {}, 1}, 0}, {"b", {5, {}, 2}, 0}}, 300),
              ElementsAre(Pair("a", 1), Pair("b", 299)));
  EXPECT_THAT(Divide({{"a", {}, 0}, {"b", {}, 0}, {"c", {}, 0}}, 2),
              ElementsAre(Pair("a", 1), Pair("b", 1), Pair("c", 1)));
}

TEST(DivideBudget, LetsAgeGiveNobodyABudgetThatItMayNotUse) {
  EXPECT_THAT(Divide({{"a", {3, {}, 1}, 0}, {"b", {3, {}, 2}, 0}}, 200),
              ElementsAre(Pair("a", 100), Pair("b", 100)));
}

TEST(DivideBudget, KnowsNoLimitWithoutABudget) {
  EXPECT_THAT(Divide({{"a", {}, 10}, {"b", {}, 0}}, 0), ElementsAre(Pair("a", 0), Pair("b", 0)));
  EXPECT_THAT(Divide({}, 100), IsEmpty());
}

TEST(MomentIn, DoesNotOverflowHoweverSlowANodeIs) {
  const WallTime now{std::chrono::hours(24 * 365 * 56)};
  EXPECT_EQ(MomentIn(1.5, now), now + std::chrono::milliseconds(1500));
  EXPECT_EQ(MomentIn(1e300, now), now + std::chrono::hours(24 * 365 * 10));
}

}  // namespace
}  // namespace prewarm::controller
