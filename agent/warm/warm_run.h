// One run of the fetch pool: what a plan lacks of one volume, into its cache. Made before it
// begins, so that it can be ranked, followed and stopped at any time. Lives on the control
// executor.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/object_store.h"
#include "agent/warm/fetch_run.h"
#include "agent/warm/run_rank.h"
#include "agent/warm/warm_engine.h"
#include "common/async/task.h"

namespace prewarm::agent {

// Makes a store for one fetch thread; called on the control executor.
using MakeStore = std::function<Result<std::unique_ptr<ObjectStore>>()>;

struct RunRequest {
  const WarmParts& parts;
  const juicefs::BlockPlan& plan;
  const Presence& presence;  // of the plan's blocks
  MakeStore make_store;
  FetchLimits limits;
  RunRank rank;
};

struct EngineProgress {
  Tally::Counts counts;
  std::size_t requests_target = 0;  // of all runs together
};

struct EngineOutcome {
  Tally::Counts counts;
  std::vector<std::string> samples;  // messages of some failed blocks
  std::vector<std::uint64_t> stale;  // numbers of blocks that the store does not have
  std::optional<Error> aborted;      // why the run ended before its plan did
  bool stopped = false;              // by Stop()
};

class WarmRun {
 public:
  // What `request` refers to, the engine, and the executor that Fetch() runs on outlive the run.
  WarmRun(WarmEngine& engine, RunRequest request);
  ~WarmRun();
  WarmRun(const WarmRun&) = delete;
  WarmRun& operator=(const WarmRun&) = delete;

  // Once. Returns when every block has ended one way or the other, or soon after Stop(), a stop of
  // the caller or an abort; nothing is left in flight then. An error where it could not begin: see
  // WarmEngine::CheckFits, or what `make_store` returned.
  Task<Result<EngineOutcome>> Fetch();
  // Within a second: requests are cut, blocks not yet named are dropped. Other runs go on.
  void Stop();
  // From the next block on.
  void SetRank(const RunRank& rank);
  [[nodiscard]] EngineProgress Progress();

 private:
  Status OpenLanes();
  Task<void> UntilEnded();
  Task<void> CloseLanes();
  EngineOutcome Outcome();

  WarmEngine& engine_;
  const MakeStore make_store_;
  RunRank rank_;
  FetchRun run_;
  bool fetching_ = false;
  bool stopped_ = false;
};

}  // namespace prewarm::agent
