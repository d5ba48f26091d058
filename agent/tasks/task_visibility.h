// What may be said of a task whose blocks are all stored: visible, or visible when, or not by
// itself. Pure: a survey of the mounts, what their clients answered and clock readings in, words
// out.
#pragma once

#include <optional>
#include <string>

#include "agent/mount/cache_verdict.h"
#include "agent/mount/visibility.h"
#include "agent/tasks/task_values.h"
#include "common/base/clock.h"

namespace prewarm::agent {

struct TaskVisibility {
  TaskState state = TaskState::kStored;  // or kVisible
  std::optional<WallTime> at;            // kStored: at the latest; nothing: not by itself
  std::string words;
  bool operator==(const TaskVisibility&) const = default;
};

struct StoredTask {
  StoredBlocks blocks;
  WallTime stored_at;      // when the last block got its name
  Duration walk{};         // how long a client's scan may take
  bool was_there = false;  // before the task began: clients may see it already
};

// Visible only if every mount of the volume finds the blocks: one that uses other directories does
// not. Where a client has answered, that counts; what its settings and the clock make likely counts
// only where it cannot be asked or its answer settles nothing, and the words then say so. A client
// without an entry in `answers` is still to be asked.
TaskVisibility JudgeTask(const MountSurvey& survey, const StoredTask& task, WallTime now,
                         const ClientAnswers& answers);

// How often a client was asked about a task, and how it went.
struct AskHistory {
  int times = 0;
  WallTime last_at;  // when it answered
  Duration last_took{};
};
// When to ask it (again): not before the blocks can be visible to it, then after two seconds, four,
// … up to a minute, and so rarely that it is busy with answers for a twentieth of its time at most.
// Nothing: never.
std::optional<WallTime> WhenToAsk(const MountSurvey& survey, const MountVisibility& mount,
                                  const StoredTask& task, const AskHistory& history);

// How the clients of a volume see blocks stored now, as one word for the node.
Adoption JudgeAdoption(const std::vector<MountVisibility>& mounts);

}  // namespace prewarm::agent
