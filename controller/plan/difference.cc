// Difference: what has to be said so that agents hold what the prewarms want.
#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controller/plan/placement.h"

namespace prewarm::controller {
namespace {

struct Wanted {
  const Prewarm* prewarm;
  const NodeTask* task;
};

// What each node is still to do: few tasks of many, and few of so many nodes.
std::unordered_map<std::string_view, std::vector<Wanted>> WantedByNode(
    std::span<const Prewarm> prewarms) {
  std::unordered_map<std::string_view, std::vector<Wanted>> wanted;
  for (const auto& prewarm : prewarms) {
    if (IsFinal(prewarm.state)) continue;
    for (const auto& [node, task] : prewarm.tasks) {
      if (!IsFinal(task.state)) wanted[node].push_back({&prewarm, &task});
    }
  }
  return wanted;
}

// The task that this node is to do, if it still is.
const NodeTask* WantedTask(const Prewarm& prewarm, const std::string& node) {
  if (IsFinal(prewarm.state)) return nullptr;
  const auto at = prewarm.tasks.find(node);
  return at == prewarm.tasks.end() || IsFinal(at->second.state) ? nullptr : &at->second;
}

// An agent that holds a finished task of the wanted generation has either done it, which is still
// to be recorded, or gave it back (cancelled without being told to): then it is ordered anew.
bool GivenBack(const HeldTask& held, const NodeTask& wanted) {
  return held.state == TaskState::kCancelled && held.generation == wanted.generation;
}

// An agent ignores an order that is older than what it holds, so that must go first. It is there
// after a controller that ordered more than it could make durable.
bool Ahead(const HeldTask& held, const NodeTask& wanted) {
  return held.generation > wanted.generation;
}

// Calls off or lets go of what is held in the wrong way; `wanted` is null if nothing is.
void SettleHeld(const std::string& node, const HeldTask& held, const NodeTask* wanted,
                Actions& actions) {
  const bool in_order = wanted != nullptr && !Ahead(held, *wanted) && !GivenBack(held, *wanted);
  if (in_order) return;
  if (IsFinal(held.state)) {
    actions.forgets.push_back({node, held.prewarm, held.generation});
  } else {
    actions.cancels.push_back({node, held.prewarm, held.generation});
  }
}

// Orders what is wanted of a node; `held` is what it holds of the prewarm, null if nothing.
void OrderTask(const Prewarm& prewarm, const NodeTask& wanted, const std::string& node,
               const HeldTask* held, Actions& actions) {
  const auto rank = RankOf(prewarm, node);
  Order order{node, prewarm.id, wanted.generation, rank, true};
  if (held != nullptr && held->generation == wanted.generation && !GivenBack(*held, wanted)) {
    if (IsFinal(held->state) || held->rank == rank) return;
    order.with_plan = false;
  }
  const bool must_end_first = held != nullptr && Ahead(*held, wanted) && !IsFinal(held->state);
  if (!must_end_first) actions.orders.push_back(std::move(order));
}

}  // namespace

Actions Difference(std::span<const Prewarm> prewarms,
                   const std::map<std::string, std::vector<HeldTask>>& held_by_connected_node) {
  std::unordered_map<std::string_view, const Prewarm*> by_id;
  for (const auto& prewarm : prewarms) by_id.emplace(prewarm.id, &prewarm);
  const auto wanted = WantedByNode(prewarms);
  Actions actions;
  for (const auto& [node, held_tasks] : held_by_connected_node) {
    std::unordered_map<std::string_view, const HeldTask*> held;
    for (const auto& task : held_tasks) {
      const auto known = by_id.find(task.prewarm);
      SettleHeld(node, task, known == by_id.end() ? nullptr : WantedTask(*known->second, node),
                 actions);
      auto [at, first] = held.emplace(task.prewarm, &task);
      if (!first && task.generation > at->second->generation) at->second = &task;
    }
    const auto to_do = wanted.find(node);
    if (to_do == wanted.end()) continue;
    for (const auto& [prewarm, task] : to_do->second) {
      const auto at = held.find(prewarm->id);
      OrderTask(*prewarm, *task, node, at == held.end() ? nullptr : at->second, actions);
    }
  }
  std::ranges::sort(actions.orders, [](const Order& a, const Order& b) {
    if (a.rank != b.rank) return GoesBefore(a.rank, b.rank);
    return std::tie(a.node, a.prewarm) < std::tie(b.node, b.prewarm);
  });
  const auto by_task = [](const auto& a, const auto& b) {
    return std::tie(a.node, a.prewarm, a.generation) < std::tie(b.node, b.prewarm, b.generation);
  };
  std::ranges::sort(actions.cancels, by_task);
  std::ranges::sort(actions.forgets, by_task);
  return actions;
}

}  // namespace prewarm::controller
