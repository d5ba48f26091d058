// Gives blocks of all runs to the fetch threads: asks the RunQueue whenever something ended or
// changed, and keeps the number of requests in flight adapted. Thread-safe: the thread on which
// something ends asks for what comes next, so that no block waits for another thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "agent/warm/concurrency.h"
#include "agent/warm/fetch_run.h"
#include "agent/warm/run_queue.h"
#include "common/async/guarded.h"
#include "common/async/io_thread.h"
#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"

namespace prewarm::agent {

// One block for one thread.
struct BlockJob {
  RunQueue::Grant grant;
  std::size_t thread = 0;
};

// How a job ended.
struct BlockEnd {
  std::optional<BlockFailure> failure;
  std::uint64_t written = 0;  // bytes that went to the disk
};

class FetchDesk {
 public:
  // The budget's requests are the most that adaptation may use. `threads` must go before the desk.
  FetchDesk(const Clock& clock, RunQueue::Budgets budgets,
            const std::vector<std::unique_ptr<IoThread>>& threads);
  // When no run is left: lets the first thread go.
  void Close();

  // From now on until its `ended` is set the run's lanes get jobs; after that, Remove it.
  void Add(FetchRun& run, const RunRank& rank, std::uint64_t buffer_bytes);
  void Remove(const FetchRun& run);
  void SetRank(const FetchRun& run, const RunRank& rank);
  // Begins nothing more of the run; what is under way goes on.
  void Cease(FetchRun& run);

  // Over all runs; see RunQueue.
  void SetBandwidth(std::uint64_t bytes_per_second);
  void SetDiskWrites(std::uint64_t bytes_per_second);
  std::size_t requests_target();

  // By lanes, for every job: first the one, with the bytes that came, then the other.
  void RequestEnded(const BlockJob& job, std::uint64_t received);
  void BlockEnded(const BlockJob& job, const BlockEnd& end);

 private:
  struct State {
    State(RunQueue::Budgets budgets, std::size_t threads, SteadyTime now);

    RunQueue queue;
    std::vector<FetchRun*> runs;              // whose end was not said yet
    std::vector<std::size_t> jobs_by_thread;  // with their request not ended
    SteadyTime timer_at = SteadyTime::max();
    ConcurrencyController concurrency;
    std::uint64_t received = 0;  // by all requests
    std::uint64_t received_before = 0;
    SteadyTime window_begin = SteadyTime::max();  // never while there is no run
  };
  // What is to be done once the lock is free.
  struct Ready {
    std::vector<std::pair<std::shared_ptr<FetchLane>, BlockJob>> jobs;
    std::vector<std::shared_ptr<EndSignal>> ended;
    bool timer_is_late = false;
  };

  // Changes the state under the lock, then starts what may start and says what has ended.
  template <class Change>
  void Do(Change change);
  static Ready Collect(State& state, SteadyTime now);
  void Send(const Ready& ready);
  // Starts what becomes ready with time, and adapts the number of requests.
  Task<void> Tick();
  void Adapt(State& state, SteadyTime now) const;
  [[nodiscard]] boost::asio::io_context::executor_type first_thread() const {
    return threads_.front()->executor();
  }

  const Clock& clock_;
  const std::size_t max_requests_;
  const std::vector<std::unique_ptr<IoThread>>& threads_;
  Guarded<State> state_;
  boost::asio::steady_timer timer_;  // these two live on the first thread
  TaskGroup ticking_;
};

}  // namespace prewarm::agent
