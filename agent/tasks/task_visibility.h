// What may be said of a task whose blocks are all stored: visible, or visible when, or not by
// itself. Pure: a survey of the mounts and two clock readings in, words out.
#pragma once

#include <optional>
#include <string>

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

// `stored_at` is when the last block got its name, `walk` how long a client's scan may take.
// Visible only if every mount of the volume finds the blocks: one that uses other directories does
// not.
TaskVisibility JudgeTask(const MountSurvey& survey, const StoredBlocks& blocks, WallTime stored_at,
                         WallTime now, Duration walk);

// How the clients of a volume see blocks stored now, as one word for the node.
Adoption JudgeAdoption(const std::vector<MountVisibility>& mounts);

}  // namespace prewarm::agent
