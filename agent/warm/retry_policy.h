// What to do after a block failed. One retry layer for the whole agent: stores and connections do
// not retry by themselves. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace prewarm::agent {

// Retries cost tokens and successes earn them, so that a store in trouble sees at most about a
// tenth more requests than it would without retries. While the bucket is empty, failed blocks wait
// for tokens: the trickle keeps probing a store that is down, and each retry that succeeds gives
// its token back, so that work resumes at once when the store does.
class RetryBudget {
 public:
  explicit RetryBudget(SteadyTime now) : updated_(now) {}

  void OnSuccess(bool was_retry);
  // Takes a token if there is one.
  bool TryTake(SteadyTime now);

 private:
  static constexpr double kMaximum = 50;
  static constexpr double kPerSuccess = 0.1;
  static constexpr double kTricklePerSecond = 0.5;

  double tokens_ = 10;
  SteadyTime updated_;
};

enum class NextStep : std::uint8_t {
  kRetry,       // after a pause, when the budget allows
  kRetryFresh,  // once more, at once, on another connection
  kStale,       // the plan is stale: resolve the paths again
  kFail,        // this block fails
  kAbort,       // every other block would fail the same way: stop the run
};

struct Attempt {
  std::size_t number = 1;         // attempts made so far
  bool fresh_retry_used = false;  // kRetryFresh was answered before
  std::size_t maximum = 10;       // --io-retries
};

NextStep StepAfterFetch(const Error& error, const Attempt& attempt);

// The disk refused a block: full, read-only or replaced concerns every block; a single disk error
// or a foreign file under the name only this one.
NextStep StepAfterStore(const Error& error);

// Ends a run that can only go on failing: refused by the store many times in a row, or several disk
// errors (the JuiceFS client takes a disk for unstable after three).
class RunBreaker {
 public:
  void OnSuccess() { refusals_in_a_row_ = 0; }
  // True if the run should end.
  bool OnFailure(const Error& error);

 private:
  static constexpr int kRefusals = 16;
  static constexpr int kDiskErrors = 3;
  int refusals_in_a_row_ = 0;
  int disk_errors_ = 0;
};

// Full jitter over an exponentially growing pause, 100 ms to 5 s.
Duration PauseBefore(std::size_t attempt_number, std::mt19937_64& random);

}  // namespace prewarm::agent
