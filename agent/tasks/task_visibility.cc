#include "agent/tasks/task_visibility.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace prewarm::agent {
namespace {

// Start times are counted in ticks from boot and mapped to the wall clock.
constexpr auto kStartIsExactTo = std::chrono::seconds(1);

// A client that started after the blocks were stored found them in the scan of its start.
bool StartedAfter(const MountSurvey& survey, const std::string& mount_point, WallTime stored_at) {
  return std::ranges::any_of(survey.mounts, [&](const MountSettings& mount) {
    return mount.mount_point == mount_point && mount.started &&
           *mount.started > stored_at + kStartIsExactTo;
  });
}

// When this mount sees the blocks: a moment that has passed, one to come, or nothing.
std::optional<WallTime> SeenAt(const MountSurvey& survey, const MountVisibility& mount,
                               WallTime stored_at, Duration walk) {
  switch (mount.visibility) {
    case Visibility::kNow: return stored_at;
    case Visibility::kNextMount:
      if (mount.mount_point.empty()) return stored_at;
      return std::nullopt;  // mounted, and looks elsewhere
    case Visibility::kAfterRescan:
      if (StartedAfter(survey, mount.mount_point, stored_at)) return stored_at;
      return *mount.latest_scan + std::chrono::duration_cast<WallTime::duration>(walk);
    case Visibility::kNeverByItself:
      if (StartedAfter(survey, mount.mount_point, stored_at)) return stored_at;
      return std::nullopt;
    case Visibility::kUnknown: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

TaskVisibility JudgeTask(const MountSurvey& survey, const StoredBlocks& blocks, WallTime stored_at,
                         WallTime now, Duration walk) {
  TaskVisibility answer;
  answer.state = TaskState::kVisible;
  bool by_itself = true;
  std::optional<WallTime> latest;
  const auto mounts = JudgeVisibility(survey, blocks, stored_at);
  for (const auto& mount : mounts) {
    const auto seen = SeenAt(survey, mount, stored_at, walk);
    if (seen && *seen <= now) continue;
    answer.state = TaskState::kStored;
    answer.words += (answer.words.empty() ? "" : " ") + mount.words;
    by_itself = by_itself && seen.has_value();
    if (seen) latest = std::max(latest.value_or(*seen), *seen);
  }
  if (answer.state == TaskState::kStored) {
    if (by_itself) answer.at = latest;
  } else if (mounts.front().visibility == Visibility::kNow || mounts.front().mount_point.empty()) {
    answer.words = mounts.front().words;
  } else {
    answer.words = "visible at " + mounts.front().mount_point +
                   ": the client has scanned its cache since the blocks were stored";
  }
  return answer;
}

Adoption JudgeAdoption(const std::vector<MountVisibility>& mounts) {
  // From the best to the worst; a node is as good as its worst mount.
  constexpr auto kAdoptionOf = [](const MountVisibility& mount) {
    switch (mount.visibility) {
      case Visibility::kNextMount:
        return mount.mount_point.empty() ? Adoption::kBeforeMount : Adoption::kNever;
      case Visibility::kNow: return Adoption::kLive;
      case Visibility::kAfterRescan: return Adoption::kRescan;
      case Visibility::kNeverByItself: return Adoption::kNever;
      case Visibility::kUnknown: return Adoption::kUnknown;
    }
    return Adoption::kUnknown;
  };
  auto worst = Adoption::kBeforeMount;
  for (const auto& mount : mounts) worst = std::max(worst, kAdoptionOf(mount));
  return worst;
}

}  // namespace prewarm::agent
