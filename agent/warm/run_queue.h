// Which block starts next when several runs share one link, one memory and one disk: the next of
// the highest-ranking run that can start one, as soon as the budgets allow it. A run that can start
// nothing (it waits to retry, its store pushes back or hangs, its own rate is used up) holds nobody
// up.
// Budgets are taken block by block and never promised ahead, so that a run that arrives or rises
// gets everything that comes free from that moment on. Pure: time is handed in. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/warm/run_rank.h"
#include "agent/warm/run_work.h"
#include "common/base/token_bucket.h"

namespace prewarm::agent {

class RunQueue {
 public:
  struct Budgets {
    std::uint64_t memory_bytes = 0;  // of the buffers of all blocks under way
    std::size_t blocks = 0;          // under way, from request to name
    std::size_t requests = 0;        // in flight to the stores, but for those that hang
  };
  // A block to start now, for which room in every budget was taken.
  struct Grant {
    RunWork* work = nullptr;
    BlockStart start;
    std::uint64_t buffer_bytes = 0;
  };

  RunQueue(Budgets budgets, SteadyTime now);

  // `buffer_bytes` is the memory of each of its blocks: at most the whole budget. Runs of one rank
  // keep the order in which they came.
  void Add(RunWork& work, const RunRank& rank, std::uint64_t buffer_bytes);
  void Remove(const RunWork& work);  // it has ended
  void SetRank(const RunWork& work, const RunRank& rank);
  [[nodiscard]] std::size_t runs() const { return entries_.size(); }

  void SetRequests(std::size_t requests) { budgets_.requests = requests; }
  [[nodiscard]] std::size_t requests() const { return budgets_.requests; }
  // Bytes per second over all runs, 0 for no limit: from the stores, and to the disks.
  void SetBandwidth(std::uint64_t bytes_per_second, SteadyTime now);
  void SetDiskWrites(std::uint64_t bytes_per_second, SteadyTime now);

  // Nothing: ask again when a request or block has ended, a run or budget has changed, at
  // wake_at(), and now and then while requests are in flight, because they may hang.
  std::optional<Grant> Next(SteadyTime now);
  // As of the last answer of Next.
  [[nodiscard]] SteadyTime wake_at() const { return wake_at_; }

  // For each grant first RequestEnded with the bytes that came (0 after an error), then BlockEnded.
  void RequestEnded(const Grant& grant, std::uint64_t received, SteadyTime now);
  void BlockEnded(const Grant& grant, std::uint64_t written, SteadyTime now);

  [[nodiscard]] std::size_t requests_in_flight() const { return requests_; }
  [[nodiscard]] std::uint64_t memory_in_use() const { return memory_; }
  // Whether a rate limit held a block back since the last call: then the rate says nothing about
  // the number of requests.
  bool TakeWasLimited();

 private:
  struct Entry {
    RunWork* work = nullptr;
    RunRank rank;
    std::uint64_t arrival = 0;
    std::uint64_t buffer_bytes = 0;
  };
  void Sort();
  SteadyTime TokensAt(SteadyTime now);
  [[nodiscard]] std::size_t RequestsThatCount(SteadyTime now) const;
  Grant Give(const Entry& entry, const BlockStart& start, SteadyTime now);

  Budgets budgets_;
  std::vector<Entry> entries_;  // the first comes first
  std::uint64_t arrivals_ = 0;
  TokenBucket bandwidth_;
  TokenBucket disk_writes_;
  std::size_t requests_ = 0;
  std::size_t blocks_ = 0;
  std::uint64_t memory_ = 0;
  SteadyTime wake_at_ = SteadyTime::max();
  bool was_limited_ = false;
};

}  // namespace prewarm::agent
