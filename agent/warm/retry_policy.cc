#include "agent/warm/retry_policy.h"

#include <algorithm>
#include <chrono>

namespace prewarm::agent {

void RetryBudget::OnSuccess(bool was_retry) {
  tokens_ = std::min(kMaximum, tokens_ + (was_retry ? 1 + kPerSuccess : kPerSuccess));
}

bool RetryBudget::TryTake(SteadyTime now) {
  const double seconds = std::chrono::duration<double>(now - updated_).count();
  updated_ = now;
  // The trickle only lifts an empty bucket to one token: it is for probing, not for saving up.
  if (tokens_ < 1) tokens_ = std::min(1.0, tokens_ + seconds * kTricklePerSecond);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

NextStep StepAfterFetch(const Error& error, const Attempt& attempt) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return attempt.number < attempt.maximum ? NextStep::kRetry : NextStep::kFail;
    case ErrorCode::kCorrupt:
      return error.reason == Reason::kNoChecksum || attempt.fresh_retry_used
                 ? NextStep::kFail
                 : NextStep::kRetryFresh;
    case ErrorCode::kNotFound:
      // Without kNotFound as the reason it is the bucket that is missing, not one object.
      return error.reason == Reason::kNotFound ? NextStep::kStale : NextStep::kAbort;
    default: return NextStep::kFail;
  }
}

NextStep StepAfterStore(const Error& error) {
  const bool concerns_all = error.code == ErrorCode::kNoSpace ||
                            error.code == ErrorCode::kPermission ||
                            error.reason == Reason::kCacheDirectoryGone;
  return concerns_all ? NextStep::kAbort : NextStep::kFail;
}

bool RunBreaker::OnFailure(const Error& error) {
  if (error.reason == Reason::kAccessDenied) return ++refusals_in_a_row_ >= kRefusals;
  refusals_in_a_row_ = 0;
  return error.reason == Reason::kDiskError && ++disk_errors_ >= kDiskErrors;
}

Duration PauseBefore(std::size_t attempt_number, std::mt19937_64& random) {
  constexpr std::int64_t kBase = 100;
  constexpr std::int64_t kCap = 5000;
  const auto doublings = std::min<std::size_t>(attempt_number, 6) - 1;
  const auto bound = std::min(kCap, kBase << doublings);
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(1, bound)(random));
}

}  // namespace prewarm::agent
