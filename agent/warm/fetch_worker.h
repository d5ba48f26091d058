// Takes one block after another from fetch to publication. A worker owns the buffers of one block,
// so the number of workers times the size of their buffers is all the memory that a run uses for
// data. Lives on the executor of its fetch thread.
#pragma once

#include <cstddef>
#include <memory>
#include <random>
#include <span>

#include "agent/store/object_store.h"
#include "agent/warm/fetch_run.h"
#include "agent/warm/request_gate.h"
#include "common/async/task.h"

namespace prewarm::agent {

class FetchWorker {
 public:
  FetchWorker(FetchRun& run, ObjectStore& store, RequestGate& gate, std::uint64_t seed);

  // Bytes of memory that a worker needs.
  static std::size_t BufferBytes(const juicefs::BlockCodec& codec, std::uint32_t block_size);

  // Until the plan is used up, the run is aborted or the task group stops.
  Task<void> Work();

 private:
  struct Object {
    std::size_t size = 0;
    std::optional<std::uint32_t> crc32c;
  };
  struct Failure {
    Error error;
    NextStep step;
  };

  Task<void> Warm(std::uint64_t number);
  // One attempt, from request to name; an answer means success.
  Task<std::optional<Failure>> Try(juicefs::BlockId block, const Attempt& attempt);
  Task<Result<Object>> Fetch(juicefs::BlockId block, bool fresh_connection);
  // Blocking, on the disk pool: from object bytes to the block's plain bytes with their trailer.
  Status Unpack(juicefs::BlockId block, const Object& object);
  // False if the run stopped or the block's patience ran out meanwhile.
  Task<bool> WaitToRetry(std::size_t attempt, SteadyTime give_up);
  void GiveUp(const Failure& failure);

  // Where the stored object goes: for plain volumes straight to where the block is built.
  [[nodiscard]] std::span<std::byte> ObjectBuffer(juicefs::BlockId block) const;

  FetchRun& run_;
  ObjectStore& store_;
  RequestGate& gate_;
  std::mt19937_64 random_;
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::span<std::byte> plain_;   // data + trailer, padded for direct writes
  std::span<std::byte> object_;  // the stored form, where it differs from the plain bytes
};

}  // namespace prewarm::agent
