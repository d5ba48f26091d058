#include "agent/tasks/task_values.h"

namespace prewarm::agent {

std::string_view StateName(TaskState state) {
  constexpr std::array<std::string_view, kTaskStates> kNames = {
      "queued", "running", "stored", "visible", "failed", "cancelled", "stale"};
  return kNames[static_cast<std::size_t>(state)];
}

bool IsFinal(TaskState state) {
  return state != TaskState::kQueued && state != TaskState::kRunning && state != TaskState::kStored;
}

}  // namespace prewarm::agent
