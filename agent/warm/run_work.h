// What one run still has to do: blocks never tried, blocks that wait to be tried again, and whether
// it may start one now. Decides what follows from each attempt; budgets that runs share are the
// RunQueue's. Pure: time is handed in. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>

#include "agent/warm/presence.h"
#include "agent/warm/request_window.h"
#include "agent/warm/retry_policy.h"
#include "agent/warm/tally.h"
#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

struct FetchLimits {
  std::uint64_t bytes_per_second = 0;                  // of this run from the store; 0: no limit
  std::size_t attempts = 10;                           // per block
  Duration retry_patience = std::chrono::seconds(60);  // how long a failing block may wait in all
  bool require_checksum = false;
};

// One attempt at one block.
struct BlockStart {
  std::uint64_t number = 0;  // in the plan
  juicefs::BlockId block;
  Attempt attempt;
  SteadyTime begun;  // of the first attempt
};

struct BlockFailure {
  Error error;
  NextStep step = NextStep::kFail;
};

class RunWork {
 public:
  // While this many blocks wait to be tried again, no new block is begun: a store in trouble would
  // otherwise be asked for the whole plan.
  static constexpr std::size_t kMaxWaiting = 64;

  // Long enough for a full set of requests on a slow link, shorter than a store's patience.
  static constexpr auto kHanging = std::chrono::seconds(10);

  // What is handed in must outlive the run; `tally` learns what happened.
  RunWork(const juicefs::BlockPlan& plan, const Presence& presence, FetchLimits limits,
          Tally& tally, SteadyTime now, std::uint64_t seed);

  // When Take may have an answer: `now`, later, or SteadyTime::max() if only the end of a request
  // or a block can change that.
  SteadyTime ReadyAt(SteadyTime now);
  // The next block to try; call it when ReadyAt(now) <= now. Nothing if it is a retry for which
  // the retry budget has no token: ReadyAt says when to ask again.
  std::optional<BlockStart> Take(SteadyTime now);

  // For every block taken first OnRequestEnded with the bytes that came from the store (0 after an
  // error), then OnBlockEnded.
  void OnRequestEnded(const BlockStart& start, std::uint64_t received, SteadyTime now);
  void OnBlockEnded(const BlockStart& start, const std::optional<BlockFailure>& failure,
                    SteadyTime now);

  // Requests that hang: none has ended for kHanging, and until one does the run begins no others.
  // They are not to take the place of other runs' requests.
  [[nodiscard]] std::size_t HangingRequests(SteadyTime now) const;

  // Begins nothing more; what waits is dropped.
  void Close();
  // Nothing is left to begin, and everything taken has ended.
  [[nodiscard]] bool ended() const;
  // The first error that ended the run before its plan did.
  [[nodiscard]] const std::optional<Error>& abort_reason() const { return abort_reason_; }
  [[nodiscard]] std::size_t window() const { return window_.size(); }

 private:
  struct Waiting {
    BlockStart start;
    Error error;              // of the attempt before
    bool needs_token = true;  // from the retry budget
  };

  std::optional<BlockStart> TakeWaiting(SteadyTime now);
  BlockStart Begin(BlockStart start, SteadyTime now);
  void Retry(Waiting waiting, SteadyTime now);
  void GiveUp(const Error& error, bool concerns_all);

  const juicefs::BlockPlan& plan_;
  const FetchLimits limits_;
  Tally& tally_;
  WorkCursor cursor_;
  std::optional<std::uint64_t> fresh_;          // the next block never tried
  std::multimap<SteadyTime, Waiting> waiting_;  // by when they are due
  std::size_t requests_ = 0;                    // taken, their request not ended
  SteadyTime request_ended_;                    // the last one; or when the first of some began
  std::size_t blocks_ = 0;                      // taken, not ended
  RequestWindow window_;
  TokenBucket bandwidth_;
  RetryBudget retries_;
  RunBreaker breaker_;
  std::mt19937_64 random_;
  SteadyTime last_success_ = SteadyTime::min();
  std::optional<Error> abort_reason_;
  bool closed_ = false;
};

}  // namespace prewarm::agent
