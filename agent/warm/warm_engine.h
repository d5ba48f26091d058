// The fetch pool of a process: threads, memory, and the budgets that all runs share. Runs
// (warm_run.h) come and go, several at a time; the one that ranks highest gets what comes free.
// Lives on the control executor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/warm/buffer_pool.h"
#include "agent/warm/end_signal.h"
#include "agent/warm/fetch_desk.h"
#include "agent/warm/fetch_run.h"
#include "common/async/io_thread.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/juicefs/block_codec.h"

namespace prewarm::agent {

class WarmRun;

struct EngineOptions {
  std::size_t fetch_threads = 0;              // 0: one per core, at most 4
  std::size_t max_requests = 64;              // in flight to the stores, over all threads
  std::uint64_t memory_bytes = 128ULL << 20;  // for blocks on their way
  FetchLimits fetch;                          // of each run
};

class WarmEngine {
 public:
  // Starts the fetch threads.
  WarmEngine(const Clock& clock, EngineOptions options);
  ~WarmEngine();  // no run may be left
  WarmEngine(const WarmEngine&) = delete;
  WarmEngine& operator=(const WarmEngine&) = delete;

  // kInvalidArgument: the memory budget does not hold two blocks of such a volume.
  [[nodiscard]] Status CheckFits(const juicefs::BlockCodec& codec, std::uint32_t block_size) const;

  // Bytes per second over all runs, 0 for no limit; from the next block on.
  void SetBandwidth(std::uint64_t bytes_per_second) { desk_.SetBandwidth(bytes_per_second); }
  void SetDiskWriteLimit(std::uint64_t bytes_per_second) { desk_.SetDiskWrites(bytes_per_second); }

  // Every run, also those that come later: see WarmRun::Stop.
  void Stop();
  // Returns when no run is left, or when the caller is stopped.
  Task<void> Drain();

  // In use or kept for use, and the most that ever was.
  BufferPool::Usage memory() { return buffers_.usage(); }
  [[nodiscard]] const EngineOptions& options() const { return options_; }

 private:
  friend class WarmRun;
  void Enter(WarmRun& run);
  void Leave(WarmRun& run);

  const EngineOptions options_;
  BufferPool buffers_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  FetchDesk desk_;
  std::vector<WarmRun*> runs_;  // fetching
  std::vector<std::shared_ptr<EndSignal>> draining_;
  bool stopped_ = false;
};

}  // namespace prewarm::agent
