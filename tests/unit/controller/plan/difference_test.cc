#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/plan/placement.h"
#include "tests/unit/controller/plan_fixtures.h"

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Held = std::map<std::string, std::vector<HeldTask>>;

Prewarm Wanted(const std::string& id, std::uint64_t age, int priority = 0,
               const std::vector<std::string>& nodes = {"a"}) {
  auto prewarm = APrewarm(id, APlan(1), nodes);
  prewarm.age = age;
  prewarm.spec.priority = priority;
  prewarm.generation = 2;
  for (auto& [node, task] : prewarm.tasks) task.generation = 2;
  return prewarm;
}

Actions Compare(const std::vector<Prewarm>& prewarms, const Held& held) {
  return Difference(prewarms, held);
}

TEST(Difference, OrdersWhatIsNotHeldBestRankFirst) {
  const auto low = Wanted("low", 1, 0, {"a", "b"});
  const auto high = Wanted("high", 2, 9);
  const auto actions = Compare({low, high}, {{"b", {}}, {"a", {}}});
  EXPECT_THAT(actions.orders, ElementsAre(Order{"a", "high", 2, RankOf(high, "")},
                                          Order{"a", "low", 2, RankOf(low, "")},
                                          Order{"b", "low", 2, RankOf(low, "")}));
  EXPECT_THAT(actions.cancels, IsEmpty());
  EXPECT_THAT(actions.forgets, IsEmpty());
}

TEST(Difference, OrdersNothingOnNodesThatAreAway) {
  EXPECT_EQ(Compare({Wanted("p", 1, 0, {"a", "b"})}, {{"c", {}}}), Actions{});
}

TEST(Difference, SaysNothingWhereAllIsAsWanted) {
  const auto prewarm = Wanted("p", 1);
  for (const auto state :
       {TaskState::kQueued, TaskState::kRunning, TaskState::kStored, TaskState::kStale}) {
    EXPECT_EQ(Compare({prewarm}, {{"a", {{"p", 2, state, RankOf(prewarm, "")}}}}), Actions{});
  }
}

TEST(Difference, OrdersANewerGenerationWithItsPlan) {
  const auto prewarm = Wanted("p", 1);
  for (const auto state : {TaskState::kRunning, TaskState::kStale, TaskState::kVisible}) {
    const auto actions = Compare({prewarm}, {{"a", {{"p", 1, state, RankOf(prewarm, "")}}}});
    EXPECT_THAT(actions.orders, ElementsAre(Order{"a", "p", 2, RankOf(prewarm, ""), true}));
    EXPECT_THAT(actions.cancels, IsEmpty()) << "the order replaces the older task";
    EXPECT_THAT(actions.forgets, IsEmpty());
  }
}

TEST(Difference, SendsOnlyTheRankWhereOnlyThatChanged) {
  const auto prewarm = Wanted("p", 1, 5);
  const auto actions = Compare({prewarm}, {{"a", {{"p", 2, TaskState::kRunning, {}}}}});
  EXPECT_THAT(actions.orders, ElementsAre(Order{"a", "p", 2, RankOf(prewarm, ""), false}));
  EXPECT_EQ(Compare({prewarm}, {{"a", {{"p", 2, TaskState::kVisible, {}}}}}), Actions{})
      << "what is finished has no rank";
}

TEST(Difference, CancelsWhatNobodyWants) {
  auto ended = Wanted("ended", 1);
  ended.state = PrewarmState::kCancelled;
  auto elsewhere = Wanted("elsewhere", 2, 0, {"b"});
  auto recorded = Wanted("recorded", 3);
  recorded.tasks.at("a").state = TaskState::kFailed;
  const Held held{{"a",
                   {{"ended", 2, TaskState::kRunning, {}},
                    {"elsewhere", 2, TaskState::kQueued, {}},
                    {"recorded", 2, TaskState::kStored, {}},
                    {"unknown", 1, TaskState::kStale, {}}}}};
  const auto actions = Compare({ended, elsewhere, recorded}, held);
  EXPECT_THAT(actions.cancels, ElementsAre(Cancel{"a", "elsewhere", 2}, Cancel{"a", "ended", 2},
                                           Cancel{"a", "recorded", 2}, Cancel{"a", "unknown", 1}));
  EXPECT_THAT(actions.orders, IsEmpty());
  EXPECT_THAT(actions.forgets, IsEmpty());
}

TEST(Difference, ForgetsAnEndOnlyOnceItIsRecorded) {
  auto prewarm = Wanted("p", 1);
  const Held held{{"a", {{"p", 2, TaskState::kVisible, {}}}}};
  EXPECT_EQ(Compare({prewarm}, held), Actions{}) << "not recorded yet";
  prewarm.tasks.at("a").state = TaskState::kVisible;
  EXPECT_THAT(Compare({prewarm}, held).forgets, ElementsAre(Forget{"a", "p", 2}));
  EXPECT_THAT(Compare({}, held).forgets, ElementsAre(Forget{"a", "p", 2})) << "unknown";
  prewarm.state = PrewarmState::kSucceeded;
  EXPECT_THAT(Compare({prewarm}, held).forgets, ElementsAre(Forget{"a", "p", 2}));
}

TEST(Difference, OrdersAgainWhatAnAgentGaveBack) {
  const auto prewarm = Wanted("p", 1);
  const auto actions = Compare({prewarm}, {{"a", {{"p", 2, TaskState::kCancelled, {}}}}});
  EXPECT_THAT(actions.forgets, ElementsAre(Forget{"a", "p", 2}));
  EXPECT_THAT(actions.orders, ElementsAre(Order{"a", "p", 2, RankOf(prewarm, ""), true}));
}

TEST(Difference, EndsANewerTaskThanAnyoneKnowsOfBeforeItOrders) {
  const auto prewarm = Wanted("p", 1);
  const auto running = Compare({prewarm}, {{"a", {{"p", 3, TaskState::kRunning, {}}}}});
  EXPECT_THAT(running.cancels, ElementsAre(Cancel{"a", "p", 3}));
  EXPECT_THAT(running.orders, IsEmpty()) << "the agent would ignore it";
  const auto ended = Compare({prewarm}, {{"a", {{"p", 3, TaskState::kCancelled, {}}}}});
  EXPECT_THAT(ended.forgets, ElementsAre(Forget{"a", "p", 3}));
  EXPECT_THAT(ended.orders, ElementsAre(Order{"a", "p", 2, RankOf(prewarm, ""), true}));
}

}  // namespace
}  // namespace prewarm::controller
