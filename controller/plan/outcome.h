// How reports of agents become the state of a prewarm. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "controller/plan/model.h"
#include "controller/plan/placement.h"

namespace prewarm::controller {

// What an agent says of a task that it holds.
struct HeldReport {
  HeldTask held;
  TaskProgress progress;
  std::string reason;
  std::string message;
  std::optional<WallTime> visible_at;
};

enum class Effect : std::uint8_t {
  kNone,
  kProgress,  // only numbers
  kDurable,   // a state: to be saved before anybody acts on it
};

// Takes a report into the node's task. Older generations, unknown nodes and tasks that have ended
// are not changed. Stored without a moment at which it becomes visible is a failure (NotVisible);
// cancelled without the prewarm being cancelled means that the agent gave it back: waiting again.
Effect Absorb(Prewarm& prewarm, const std::string& node, const HeldReport& report);

// Fails the tasks of a node that was away too long.
Effect GiveUpNode(Prewarm& prewarm, const std::string& node);

// Once every task has ended: Succeeded, or Failed (NodesFailed) naming the nodes; for `keep`, Warm
// while every task that has not failed is visible, and Running otherwise.
Effect Conclude(Prewarm& prewarm, WallTime now);

// For a prewarm of a workload: gives a task to every target whose agent is there, and takes those
// away that are of no target any more. One that failed because its agent was away begins anew.
Effect GoToTargets(Prewarm& prewarm, const std::set<std::string>& connected,
                   const ResolvedPlan& plan);

// Ends it now, whatever its tasks do. Does nothing if it has ended.
Effect End(Prewarm& prewarm, PrewarmState state, std::string reason, std::string message,
           WallTime now);

// A new plan: the tasks that have to be done anew wait in the next generation. `only_unfinished`
// leaves what is visible as it is.
void BeginGeneration(Prewarm& prewarm, const ResolvedPlan& plan, bool only_unfinished);

// The task as it starts on a node.
NodeTask NewTask(const std::string& node, std::uint64_t generation, const ResolvedPlan& plan);

}  // namespace prewarm::controller
