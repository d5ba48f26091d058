// What must hold of the difference between what is wanted and what is held.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/plan/placement.h"
#include "tests/unit/controller/plan/random_fleet.h"

namespace prewarm::controller {
namespace {

using Held = std::map<std::string, std::vector<HeldTask>>;

std::vector<Prewarm> SomePrewarms(Random& random) {
  std::vector<Prewarm> prewarms;
  const auto count = random.Below(5);
  for (std::uint64_t i = 0; i < count; ++i) {
    Prewarm prewarm;
    prewarm.id = "p" + std::to_string(i);
    prewarm.age = i + 1;
    prewarm.spec.priority = static_cast<int>(random.Below(3));
    prewarm.state = static_cast<PrewarmState>(random.Below(7));
    for (int node = 0; node < 3; ++node) {
      if (random.Chance(30)) continue;
      NodeTask task;
      task.node = "node-" + std::to_string(node);
      task.generation = random.Between(1, 3);
      task.state = static_cast<TaskState>(random.Below(8));
      prewarm.tasks[task.node] = task;
    }
    prewarms.push_back(std::move(prewarm));
  }
  return prewarms;
}

Held WhatAgentsHold(Random& random, std::uint64_t newest_generation) {
  Held held;
  for (int node = 0; node < 3; ++node) {
    if (random.Chance(20)) continue;  // away
    auto& tasks = held["node-" + std::to_string(node)];
    for (int prewarm = 0; prewarm < 6; ++prewarm) {
      if (random.Chance(40)) continue;
      HeldTask task;
      task.prewarm = "p" + std::to_string(prewarm);
      task.generation = random.Between(1, newest_generation);
      task.state = static_cast<TaskState>(random.Between(1, 7));
      if (random.Chance(50)) task.rank = ARank(random);
      tasks.push_back(task);
    }
  }
  return held;
}

HeldTask* FindHeld(Held& held, const std::string& node, const std::string& prewarm) {
  for (auto& task : held.at(node)) {
    if (task.prewarm == prewarm) return &task;
  }
  return nullptr;
}

// As an agent would: a cancelled task stays as cancelled until it is forgotten, and an order that
// is not newer than what is held changes at most the rank.
void Obey(Held& held, const Actions& actions) {
  for (const auto& cancel : actions.cancels) {
    auto* task = FindHeld(held, cancel.node, cancel.prewarm);
    ASSERT_TRUE(task != nullptr && task->generation == cancel.generation && !IsFinal(task->state));
    task->state = TaskState::kCancelled;
  }
  for (const auto& forget : actions.forgets) {
    auto* task = FindHeld(held, forget.node, forget.prewarm);
    ASSERT_TRUE(task != nullptr && task->generation == forget.generation && IsFinal(task->state))
        << "only what has ended may be forgotten";
    std::erase_if(held.at(forget.node),
                  [&](const HeldTask& each) { return each.prewarm == forget.prewarm; });
  }
  for (const auto& order : actions.orders) {
    auto* task = FindHeld(held, order.node, order.prewarm);
    ASSERT_EQ(order.with_plan, task == nullptr || task->generation < order.generation);
    if (task == nullptr) task = &held.at(order.node).emplace_back();
    const auto state = order.with_plan ? TaskState::kQueued : task->state;
    *task = {order.prewarm, order.generation, state, order.rank};
  }
}

TEST(AnyFleet, ObeyingTheDifferenceLeavesNoDifference) {
  ForAllCases([](Random& random) {
    const auto prewarms = SomePrewarms(random);
    auto held = WhatAgentsHold(random, 3);
    const auto actions = Difference(prewarms, held);
    EXPECT_EQ(Difference(prewarms, held), actions) << "same input, same answer";
    auto shuffled = prewarms;
    random.Shuffle(shuffled);
    EXPECT_EQ(Difference(shuffled, held), actions) << "in whatever order it is given";

    Obey(held, actions);
    const auto rest = Difference(prewarms, held);
    EXPECT_TRUE(rest.cancels.empty());
    // What was cancelled is to be forgotten, and where it was ahead, ordered only now.
    EXPECT_EQ(rest.forgets.size(), actions.cancels.size());
    EXPECT_LE(rest.orders.size(), actions.cancels.size());
    if (actions.cancels.empty()) EXPECT_EQ(rest, Actions{});
    Obey(held, rest);
    EXPECT_EQ(Difference(prewarms, held), Actions{});

    for (const auto& prewarm : prewarms) {
      for (const auto& [node, task] : prewarm.tasks) {
        if (!held.contains(node)) continue;
        const bool wanted = !IsFinal(prewarm.state) && !IsFinal(task.state);
        const auto* holds = FindHeld(held, node, prewarm.id);
        EXPECT_EQ(wanted, holds != nullptr) << prewarm.id << " on " << node;
        if (wanted && holds != nullptr) EXPECT_EQ(holds->generation, task.generation);
      }
    }
  });
}

}  // namespace
}  // namespace prewarm::controller
