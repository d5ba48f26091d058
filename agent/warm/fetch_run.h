// What the workers of one run share: the plan, the budgets, the counts, and whether to go on.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/cache/block_cache.h"
#include "agent/warm/committer.h"
#include "agent/warm/presence.h"
#include "agent/warm/retry_policy.h"
#include "agent/warm/tally.h"
#include "common/async/guarded.h"
#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "common/juicefs/block_codec.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

// The parts of a node that every run uses; owned by agent.cc's caller and outliving all runs.
struct WarmParts {
  const Clock& clock;
  BlockCache& cache;
  const juicefs::BlockCodec& codec;
  boost::asio::thread_pool& disk_pool;
  std::string volume_name;
  bool hash_prefix = false;
};

struct FetchLimits {
  std::uint64_t bytes_per_second = 0;                  // from the store; 0: no limit
  std::size_t attempts = 10;                           // per block
  Duration retry_patience = std::chrono::seconds(60);  // how long a failing block may wait in all
  bool require_checksum = false;
};

struct FetchRun {
  FetchRun(const WarmParts& the_parts, const juicefs::BlockPlan& the_plan, const Presence& presence,
           FetchLimits the_limits)
      : parts(the_parts),
        plan(the_plan),
        limits(the_limits),
        cursor(the_plan, presence),
        committer(the_parts.cache, the_parts.disk_pool),
        bandwidth(TokenBucket(static_cast<double>(limits.bytes_per_second),
                              static_cast<double>(limits.bytes_per_second) / 4, parts.clock.Now())),
        retries(RetryBudget(parts.clock.Now())) {}

  const WarmParts& parts;
  const juicefs::BlockPlan& plan;
  const FetchLimits limits;
  WorkCursor cursor;
  Committer committer;
  Tally tally;
  Guarded<TokenBucket> bandwidth;
  Guarded<RetryBudget> retries;
  Guarded<RunBreaker> breaker;
  Guarded<std::optional<Error>> abort_reason;  // the first error that ended the run
  std::atomic<bool> aborted{false};
  std::atomic<SteadyTime> last_success{SteadyTime::min()};
  std::atomic<bool> pushback{false};  // the store said 429 or 503 since this was last cleared
};

}  // namespace prewarm::agent
