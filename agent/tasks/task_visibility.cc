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

WallTime::duration ToWall(Duration duration) {
  return std::chrono::duration_cast<WallTime::duration>(duration);
}

bool SeesNothingOfThese(const MountVisibility& mount) {
  return mount.visibility == Visibility::kNextMount || mount.visibility == Visibility::kUnknown;
}

// When this mount sees the blocks, if its client does as its settings say: a moment that has
// passed, one to come, or nothing.
std::optional<WallTime> InferredAt(const MountSurvey& survey, const MountVisibility& mount,
                                   const StoredTask& task) {
  if (SeesNothingOfThese(mount)) return std::nullopt;
  const bool has_looked = mount.visibility == Visibility::kNow ||
                          StartedAfter(survey, mount.mount_point, task.stored_at);
  if (has_looked) return task.stored_at;
  if (mount.visibility == Visibility::kNeverByItself) return std::nullopt;
  return *mount.latest_scan + ToWall(task.walk);
}

// What a mount contributes to the answer.
struct Sight {
  bool seen = false;
  std::optional<WallTime> at;  // not seen: at the latest; nothing: not by itself
  std::string words;
};

// A client that misses blocks may find them at its next scan; after this many in vain it will not.
constexpr int kScansInVain = 3;

std::optional<WallTime> NextChance(const MountVisibility& mount, const StoredTask& task,
                                   std::optional<WallTime> inferred, WallTime answered) {
  if (mount.visibility != Visibility::kAfterRescan || !inferred) return std::nullopt;
  if (answered < *inferred) return inferred;
  const auto period = *mount.latest_scan - task.stored_at + ToWall(task.walk);
  if (answered >= *inferred + (kScansInVain - 1) * period) return std::nullopt;
  return answered + period;
}

// A client may be too busy, or about to go, to tell its settings; until then it is looked at again.
constexpr auto kUnansweredIsFinal = std::chrono::seconds(30);
constexpr auto kLookAgain = std::chrono::seconds(5);

// When a mount that did not tell its settings will have another chance to; nothing: it had enough.
std::optional<WallTime> NextLook(const StoredTask& task, WallTime now) {
  const auto last = task.stored_at + kUnansweredIsFinal;
  if (now >= last) return std::nullopt;
  return std::min<WallTime>(now + kLookAgain, last);
}

std::string SentenceOf(const MountVisibility& mount, const ClientAnswer& answer) {
  return mount.mount_point + ": " + answer.words + ".";
}

Sight SightOf(const MountSurvey& survey, const MountVisibility& mount, const StoredTask& task,
              WallTime now, const ClientAnswers& answers) {
  if (mount.visibility == Visibility::kNextMount && mount.mount_point.empty()) {
    return {true, {}, mount.words};
  }
  if (mount.visibility == Visibility::kUnknown) return {false, NextLook(task, now), mount.words};
  if (mount.visibility == Visibility::kNextMount) return {false, {}, mount.words};
  const auto inferred = InferredAt(survey, mount, task);
  const auto known = answers.find(mount.mount_point);
  if (known == answers.end()) {
    // Until it has answered nothing is final, not even that it will never see them.
    return {false, inferred.value_or(task.stored_at),
            mount.words + " Its client is yet to be asked."};
  }
  const auto& answer = known->second;
  const auto sentence = SentenceOf(mount, answer);
  if (answer.verdict == CacheVerdict::kFindsAll) return {true, {}, sentence};
  const auto words = sentence + " " + mount.words;
  if (answer.verdict == CacheVerdict::kMisses) {
    return {false, NextChance(mount, task, inferred, answer.at), words};
  }
  if (!inferred || *inferred > now) return {false, inferred, words};
  const auto why = mount.visibility == Visibility::kNow
                       ? mount.words
                       : "visible at " + mount.mount_point +
                             " as far as the clock tells: the client must have scanned its cache";
  return {true, {}, why + "; " + answer.words};
}

bool MaySeeAtOnce(const MountSurvey& survey, const MountVisibility& mount, const StoredTask& task) {
  return task.was_there || mount.visibility != Visibility::kAfterRescan ||
         StartedAfter(survey, mount.mount_point, task.stored_at);
}

}  // namespace

TaskVisibility JudgeTask(const MountSurvey& survey, const StoredTask& task, WallTime now,
                         const ClientAnswers& answers) {
  std::string seen_words;
  std::string unseen_words;
  bool all_seen = true;
  bool by_itself = true;
  std::optional<WallTime> latest;
  for (const auto& mount : JudgeVisibility(survey, task.blocks, task.stored_at)) {
    const auto sight = SightOf(survey, mount, task, now, answers);
    auto& words = sight.seen ? seen_words : unseen_words;
    words += (words.empty() ? "" : " ") + sight.words;
    if (sight.seen) continue;
    all_seen = false;
    by_itself = by_itself && sight.at.has_value();
    if (sight.at) latest = std::max(latest.value_or(*sight.at), *sight.at);
  }
  if (all_seen) return {TaskState::kVisible, {}, seen_words};
  return {TaskState::kStored, by_itself ? latest : std::nullopt, unseen_words};
}

std::optional<WallTime> WhenToAsk(const MountSurvey& survey, const MountVisibility& mount,
                                  const StoredTask& task, const AskHistory& history) {
  constexpr Duration kFirstPause = std::chrono::seconds(2);
  constexpr Duration kLongestPause = std::chrono::seconds(60);
  constexpr int kRests = 20;
  if (SeesNothingOfThese(mount)) return std::nullopt;
  if (history.times == 0 && MaySeeAtOnce(survey, mount, task)) return task.stored_at;
  auto earliest = task.stored_at + ToWall(kFirstPause);
  if (mount.never_before_next_scan) earliest = std::max(earliest, *mount.next_scan);
  if (history.times == 0) return earliest;
  const int doublings = std::min(history.times - 1, 5);
  const auto pause =
      std::max(std::min(kFirstPause * (1 << doublings), kLongestPause), history.last_took * kRests);
  return std::max(earliest, history.last_at + ToWall(pause));
}

Adoption JudgeAdoption(const std::vector<MountVisibility>& mounts) {
  // From the best to the worst; a node is as good as its worst mount.
  constexpr auto kAdoptionOf = [](const MountVisibility& mount) {
    switch (mount.visibility) {
      case Visibility::kNextMount:
        return mount.mount_point.empty() ? Adoption::kBeforeMount : Adoption::kNever;
      case Visibility::kNow:
      case Visibility::kMissing: return Adoption::kLive;
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
