// Runs plans: fetch threads with connections of their own, a disk pool, and workers that take
// blocks from fetch to publication under explicit budgets. Adapts the number of requests in flight
// while it runs. Lives on the control executor; Fetch is called there, one at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/store/object_store.h"
#include "agent/warm/concurrency.h"
#include "agent/warm/fetch_run.h"
#include "common/async/task.h"

namespace prewarm::agent {

struct EngineOptions {
  std::size_t fetch_threads = 0;  // 0: one per core, at most 4
  std::size_t disk_threads = 4;
  std::size_t max_requests = 64;              // in flight to the store, over all threads
  std::uint64_t memory_bytes = 128ULL << 20;  // for blocks on their way
  FetchLimits fetch;
};

struct EngineProgress {
  Tally::Counts counts;
  std::size_t requests_target = 0;
};

struct EngineOutcome {
  Tally::Counts counts;
  std::vector<std::string> samples;  // messages of some failed blocks
  std::vector<std::uint64_t> stale;  // numbers of blocks that the store does not have
  std::optional<Error> aborted;      // why the run ended before its plan did
  bool stopped = false;              // by Stop()
};

// Makes a store for one fetch thread.
using MakeStore = std::function<Result<std::unique_ptr<ObjectStore>>()>;

class WarmEngine {
 public:
  // Starts the fetch threads. kInvalidArgument: the memory budget does not hold two blocks;
  // otherwise what `make_store` returned.
  static Result<std::unique_ptr<WarmEngine>> Create(const WarmParts& parts, EngineOptions options,
                                                    std::uint32_t block_size,
                                                    const MakeStore& make_store);
  ~WarmEngine();

  // Fetches what `presence` lacks. Returns when every block has ended one way or the other, or soon
  // after Stop() or an abort; nothing is left in flight then.
  Task<EngineOutcome> Fetch(const juicefs::BlockPlan& plan, const Presence& presence);
  // Splits the scan over the disk pool.
  Task<Result<PlannedWork>> Scan(const juicefs::BlockPlan& plan, Presence& presence);
  // Within a second: requests are cut, blocks not yet named are dropped. Also ends later calls.
  void Stop();
  // Of the run in progress; nothing between runs. Called on the control executor.
  [[nodiscard]] std::optional<EngineProgress> Progress() const;

 private:
  class FetchThread;

  WarmEngine(const WarmParts& parts, EngineOptions options);
  Task<void> AdaptUntilDone(FetchRun& run);

  const WarmParts& parts_;
  const EngineOptions options_;
  std::vector<std::unique_ptr<FetchThread>> threads_;
  FetchRun* current_ = nullptr;
  std::size_t target_ = 0;
  bool stopping_ = false;
};

}  // namespace prewarm::agent
