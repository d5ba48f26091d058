// One run as the fetch threads see it: where blocks come from and go to, what is left of the plan,
// and what happened so far.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "agent/cache/block_cache.h"
#include "agent/warm/committer.h"
#include "agent/warm/end_signal.h"
#include "agent/warm/run_work.h"
#include "agent/warm/tally.h"
#include "common/base/clock.h"
#include "common/juicefs/block_codec.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

class FetchLane;

// What the runs of one volume use; outlives them.
struct WarmParts {
  const Clock& clock;
  BlockCache& cache;
  const juicefs::BlockCodec& codec;
  boost::asio::thread_pool& disk_pool;
  std::string volume_name;
  bool hash_prefix = false;
};

struct FetchRun {
  FetchRun(const WarmParts& the_parts, const juicefs::BlockPlan& the_plan, const Presence& presence,
           FetchLimits the_limits)
      : parts(the_parts),
        plan(the_plan),
        limits(the_limits),
        committer(the_parts.cache, the_parts.disk_pool),
        work(the_plan, presence, the_limits, tally, the_parts.clock.Now(), std::random_device{}()) {
  }

  const WarmParts& parts;
  const juicefs::BlockPlan& plan;
  const FetchLimits limits;
  Tally tally;
  Committer committer;
  RunWork work;  // only the FetchDesk touches it, under its lock
  // One for each fetch thread; set before the run begins.
  std::vector<std::shared_ptr<FetchLane>> lanes;
  std::shared_ptr<EndSignal> ended;  // set when nothing of it is under way any more
};

}  // namespace prewarm::agent
