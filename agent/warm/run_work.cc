#include "agent/warm/run_work.h"

#include <algorithm>
#include <utility>

namespace prewarm::agent {

RunWork::RunWork(const juicefs::BlockPlan& plan, const Presence& presence, FetchLimits limits,
                 Tally& tally, SteadyTime now, std::uint64_t seed)
    : plan_(plan),
      limits_(limits),
      tally_(tally),
      cursor_(plan, presence),
      fresh_(cursor_.Next()),
      bandwidth_(static_cast<double>(limits.bytes_per_second),
                 static_cast<double>(limits.bytes_per_second) / 4, now),
      retries_(now),
      random_(seed) {}

SteadyTime RunWork::ReadyAt(SteadyTime now) {
  if (closed_ || requests_ >= window_.size() || HangingRequests(now) > 0) return SteadyTime::max();
  SteadyTime at = SteadyTime::max();
  if (fresh_ && waiting_.size() < kMaxWaiting) at = now;
  if (!waiting_.empty()) at = std::min(at, std::max(now, waiting_.begin()->first));
  // Blocks start while nothing is owed, so that a block of a run that ranks higher never finds the
  // rate promised away.
  return at == SteadyTime::max() ? at : std::max(at, now + bandwidth_.Take(0, now));
}

std::optional<BlockStart> RunWork::Take(SteadyTime now) {
  if (auto start = TakeWaiting(now)) return Begin(*start, now);
  if (closed_ || !fresh_ || waiting_.size() >= kMaxWaiting) return std::nullopt;
  BlockStart start;
  start.number = *fresh_;
  start.block = plan_.At(*fresh_);
  start.attempt.maximum = limits_.attempts;
  start.begun = now;
  fresh_ = cursor_.Next();
  return Begin(start, now);
}

std::optional<BlockStart> RunWork::TakeWaiting(SteadyTime now) {
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    Waiting waiting = std::move(waiting_.extract(waiting_.begin()).mapped());
    if (!waiting.needs_token || retries_.TryTake(now)) {
      tally_.Retry();
      return waiting.start;
    }
    Retry(std::move(waiting), now);
  }
  return std::nullopt;
}

BlockStart RunWork::Begin(BlockStart start, SteadyTime now) {
  if (requests_++ == 0) request_ended_ = now;
  ++blocks_;
  bandwidth_.Take(start.block.size, now);
  return start;
}

void RunWork::OnRequestEnded(const BlockStart& start, std::uint64_t received, SteadyTime now) {
  --requests_;
  request_ended_ = now;
  bandwidth_.Take(static_cast<double>(received) - start.block.size, now);
}

void RunWork::OnBlockEnded(const BlockStart& start, const std::optional<BlockFailure>& failure,
                           SteadyTime now) {
  --blocks_;
  if (!failure) {
    last_success_ = now;
    retries_.OnSuccess(start.attempt.number > 1);
    breaker_.OnSuccess();
    window_.OnSuccess();
    return;
  }
  if (failure->error.code == ErrorCode::kCancelled) return;
  tally_.SawError(failure->error.reason);
  if (failure->error.reason == Reason::kThrottled) window_.OnPushback(now);
  Waiting waiting{start, failure->error};
  ++waiting.start.attempt.number;
  switch (failure->step) {
    case NextStep::kRetry: return Retry(std::move(waiting), now);
    case NextStep::kRetryFresh:
      waiting.start.attempt.fresh_retry_used = true;
      waiting.needs_token = false;
      if (!closed_) waiting_.emplace(now, std::move(waiting));
      return;
    case NextStep::kStale: return tally_.Stale(start.number);
    case NextStep::kFail:
    case NextStep::kAbort: return GiveUp(failure->error, failure->step == NextStep::kAbort);
  }
}

void RunWork::Retry(Waiting waiting, SteadyTime now) {
  if (closed_) return;
  const auto begun = waiting.start.begun;
  if (now >= begun + limits_.retry_patience) {
    // Nobody got anything all the while: the other blocks would only wait as long in vain.
    return GiveUp(waiting.error, last_success_ < begun);
  }
  const auto due = now + PauseBefore(waiting.start.attempt.number - 1, random_);
  waiting_.emplace(due, std::move(waiting));
}

void RunWork::GiveUp(const Error& error, bool concerns_all) {
  tally_.Failed(error);
  const bool tripped = breaker_.OnFailure(error);
  if (!concerns_all && !tripped) return;
  if (!abort_reason_) abort_reason_ = error;
  Close();
}

std::size_t RunWork::HangingRequests(SteadyTime now) const {
  return now - request_ended_ >= kHanging ? requests_ : 0;
}

void RunWork::Close() {
  closed_ = true;
  waiting_.clear();
}

bool RunWork::ended() const { return blocks_ == 0 && (closed_ || (!fresh_ && waiting_.empty())); }

}  // namespace prewarm::agent
