#include "controller/plan/outcome.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller {
namespace {

constexpr std::string_view kNodeLost = "node_lost";

}  // namespace

Effect Absorb(Prewarm& prewarm, const std::string& node, const HeldReport& report) {
  const auto at = prewarm.tasks.find(node);
  if (at == prewarm.tasks.end() || IsFinal(prewarm.state)) return Effect::kNone;
  auto& task = at->second;
  if (report.held.generation != task.generation || IsFinal(task.state)) return Effect::kNone;
  const auto before = task;
  task.progress = report.progress;
  task.state = report.held.state;
  task.reason = report.reason;
  task.message = report.message;
  task.visible_at = report.visible_at;
  if (task.state == TaskState::kStored && !task.visible_at) {
    task.state = TaskState::kFailed;
    task.reason = "not_visible";
  }
  if (task.state == TaskState::kCancelled) task.state = TaskState::kWaiting;
  if (task == before) return Effect::kNone;
  const bool notable = IsFinal(task.state) || task.state == TaskState::kStored;
  return notable && task.state != before.state ? Effect::kDurable : Effect::kProgress;
}

Effect GoToTargets(Prewarm& prewarm, const std::set<std::string>& connected,
                   const ResolvedPlan& plan) {
  if (IsFinal(prewarm.state) || prewarm.generation == 0) return Effect::kNone;
  const auto gone = std::erase_if(prewarm.tasks, [&](const auto& task) {
    return prewarm.spec.TargetAt(task.first) == nullptr;
  });
  auto effect = gone > 0 ? Effect::kDurable : Effect::kNone;
  for (const auto& target : prewarm.spec.targets) {
    if (!connected.contains(target.node)) continue;
    const auto at = prewarm.tasks.find(target.node);
    if (at != prewarm.tasks.end() && at->second.reason != kNodeLost) continue;
    prewarm.tasks[target.node] = NewTask(target.node, prewarm.generation, plan);
    effect = Effect::kDurable;
  }
  return effect;
}

Effect GiveUpNode(Prewarm& prewarm, const std::string& node) {
  const auto at = prewarm.tasks.find(node);
  if (at == prewarm.tasks.end() || IsFinal(at->second.state)) return Effect::kNone;
  at->second.state = TaskState::kFailed;
  at->second.reason = kNodeLost;
  at->second.message = "the node's agent has been away for longer than fleet.agent-timeout";
  return Effect::kDurable;
}

Effect End(Prewarm& prewarm, PrewarmState state, std::string reason, std::string message,
           WallTime now) {
  if (IsFinal(prewarm.state)) return Effect::kNone;
  prewarm.state = state;
  prewarm.reason = std::move(reason);
  prewarm.message = std::move(message);
  prewarm.ended_at = now;
  for (auto& [node, task] : prewarm.tasks) {
    if (!IsFinal(task.state)) task.state = TaskState::kCancelled;
  }
  return Effect::kDurable;
}

Effect Conclude(Prewarm& prewarm, WallTime now) {
  if (IsFinal(prewarm.state) || prewarm.state == PrewarmState::kPending) return Effect::kNone;
  std::size_t unfinished = 0;
  std::size_t failed = 0;
  std::string message;
  for (const auto& [node, task] : prewarm.tasks) {
    if (!IsFinal(task.state)) ++unfinished;
    if (task.state != TaskState::kFailed) continue;
    ++failed;
    if (failed <= 3) message += (message.empty() ? "" : "; ") + node + ": " + task.message;
  }
  for (const auto& target : prewarm.spec.targets) {
    if (!prewarm.tasks.contains(target.node)) ++unfinished;  // its agent is not there yet
  }
  if (prewarm.spec.keep) {
    const auto state = unfinished == 0 ? PrewarmState::kWarm : PrewarmState::kRunning;
    if (state == prewarm.state) return Effect::kNone;
    prewarm.state = state;
    return Effect::kDurable;
  }
  if (unfinished > 0) return Effect::kNone;
  if (failed == 0) return End(prewarm, PrewarmState::kSucceeded, "AllVisible", "", now);
  message = std::to_string(failed) + " of " + std::to_string(prewarm.tasks.size()) +
            " nodes failed: " + message + (failed > 3 ? "; …" : "");
  return End(prewarm, PrewarmState::kFailed, "NodesFailed", message, now);
}

NodeTask NewTask(const std::string& node, std::uint64_t generation, const ResolvedPlan& plan) {
  NodeTask task;
  task.node = node;
  task.generation = generation;
  task.progress.planned_blocks = plan.blocks.block_count();
  task.progress.planned_bytes = plan.blocks.bytes();
  return task;
}

void BeginGeneration(Prewarm& prewarm, const ResolvedPlan& plan, bool only_unfinished) {
  ++prewarm.generation;
  prewarm.plan_hash = plan.Hash();
  prewarm.files = plan.files;
  if (prewarm.state == PrewarmState::kPending || prewarm.state == PrewarmState::kWarm) {
    prewarm.state = PrewarmState::kRunning;
  }
  for (auto& [node, task] : prewarm.tasks) {
    if (only_unfinished && IsFinal(task.state)) continue;
    task = NewTask(node, prewarm.generation, plan);
  }
}

}  // namespace prewarm::controller
