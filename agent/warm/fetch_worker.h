// Takes one block after another from fetch to publication. A worker owns the buffer of one block,
// so the number of workers times the size of a buffer is all the memory that a run uses for
// data. Lives on the executor of its fetch thread.
#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "agent/store/object_store.h"
#include "agent/warm/block_buffer.h"
#include "agent/warm/fetch_run.h"
#include "agent/warm/request_gate.h"
#include "common/async/task.h"

namespace prewarm::agent {

class FetchWorker {
 public:
  FetchWorker(FetchRun& run, ObjectStore& store, RequestGate& gate, std::uint64_t seed);

  // Until the plan is used up, the run is aborted or the task group stops.
  Task<void> Work();

 private:
  struct Failure {
    Error error;
    NextStep step;
  };

  Task<void> Warm(std::uint64_t number);
  // One attempt, from request to name; an answer means success.
  Task<std::optional<Failure>> Try(juicefs::BlockId block, const Attempt& attempt);
  Task<Result<ObjectBytes>> Fetch(juicefs::BlockId block, bool fresh_connection);
  // Blocking, on the disk pool: from object bytes to the block's plain bytes with their trailer.
  Status Unpack(juicefs::BlockId block, const ObjectBytes& object);
  // False if the run stopped or the block's patience ran out meanwhile.
  Task<bool> WaitToRetry(std::size_t attempt, SteadyTime give_up);
  void GiveUp(const Failure& failure);

  FetchRun& run_;
  ObjectStore& store_;
  RequestGate& gate_;
  std::mt19937_64 random_;
  BlockBuffer buffer_;
};

}  // namespace prewarm::agent
