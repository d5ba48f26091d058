#include "agent/tasks/client_inquiry.h"

#include <algorithm>
#include <utility>

namespace prewarm::agent {
namespace {

// A stored task whose clients do not see it yet is looked at again at the latest after this.
constexpr Duration kLongestPause = std::chrono::seconds(30);
constexpr Duration kShortestPause = std::chrono::milliseconds(200);
constexpr Duration kFreshSurvey = std::chrono::seconds(1);
// A client that went away will be back, or its mount gone; after so many times it is neither.
constexpr int kMostTimesAway = 5;

const MountSettings* Find(const MountSurvey& survey, const std::string& mount_point) {
  const auto at = std::ranges::find(survey.mounts, mount_point, &MountSettings::mount_point);
  return at == survey.mounts.end() ? nullptr : &*at;
}

}  // namespace

ClientInquiry::ClientInquiry(const Clock& clock, MountWatch& mounts, StoredTask task,
                             PlannedData planned)
    : clock_(clock), mounts_(mounts), task_(std::move(task)), planned_(std::move(planned)) {}

Task<void> ClientInquiry::Look() {
  // What is stored now must be judged by what is mounted now, and not a moment before.
  survey_ =
      survey_ == nullptr ? co_await mounts_.Look() : co_await mounts_.LookLately(kFreshSurvey);
}

std::optional<ClientInquiry::Turn> ClientInquiry::NextTurn() const {
  std::optional<Turn> next;
  for (const auto& mount : JudgeVisibility(*survey_, task_.blocks, task_.stored_at)) {
    const auto answer = answers_.find(mount.mount_point);
    if (answer != answers_.end() && answer->second.verdict == CacheVerdict::kFindsAll) continue;
    const auto history = asked_.find(mount.mount_point);
    const auto at =
        WhenToAsk(*survey_, mount, task_, history == asked_.end() ? AskHistory() : history->second);
    if (at && (!next || *at < next->at)) next = Turn{mount.mount_point, *at};
  }
  return next;
}

Task<bool> ClientInquiry::AskNext() {
  if (co_await Stopping()) co_return false;
  const auto turn = NextTurn();
  if (!turn || turn->at > clock_.WallNow()) co_return false;
  co_await Ask(turn->mount_point);
  co_return !co_await Stopping();
}

Task<void> ClientInquiry::Ask(std::string mount_point) {
  auto& history = asked_[mount_point];
  ++history.times;
  history.last_at = clock_.WallNow();
  const auto* mount = Find(*survey_, mount_point);
  if (mount == nullptr) co_return;
  const auto question = QuestionFor(*mount, planned_);
  if (!question) {
    answers_[mount_point] = AnswerOf(question.error(), history.last_at);
    co_return;
  }
  const auto begin = clock_.Now();
  const auto count = co_await mounts_.Ask(*mount, question->paths, stop_.get_token());
  const auto now = clock_.WallNow();
  auto& ended = asked_[mount_point];
  ended.last_at = now;
  ended.last_took = clock_.Now() - begin;
  if (count) {
    answers_[mount_point] = AnswerOf(*count, question->part, planned_, now);
    co_return;
  }
  const auto code = count.error().code;
  const bool away = code == ErrorCode::kUnavailable && ended.times < kMostTimesAway;
  if (!away && code != ErrorCode::kCancelled) {
    answers_[mount_point] = AnswerOf(count.error(), now);
  }
}

TaskVisibility ClientInquiry::Judge() const {
  return JudgeTask(*survey_, task_, clock_.WallNow(), answers_);
}

Duration ClientInquiry::Pause() const {
  const auto now = clock_.WallNow();
  auto until = now + kLongestPause;
  if (const auto turn = NextTurn()) until = std::min(until, turn->at);
  if (const auto at = Judge().at; at && *at > now) until = std::min(until, *at);
  return std::clamp<Duration>(until - now, kShortestPause, kLongestPause);
}

}  // namespace prewarm::agent
