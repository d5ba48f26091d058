// The memory of blocks on their way, for all runs together. Buffers are used again, the last
// returned first, because fresh pages cost more than the rest of the work on a block. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/warm/block_buffer.h"
#include "common/async/guarded.h"

namespace prewarm::agent {

class BufferPool {
 public:
  explicit BufferPool(std::uint64_t budget) : budget_(budget) {}

  // Whoever takes keeps the sum of what is taken within the budget (RunQueue does); what is kept
  // for use again gives way to that.
  AlignedMemory Take(std::size_t bytes);
  void GiveBack(AlignedMemory memory);
  // Frees what is not taken.
  void Trim();

  struct Usage {
    std::uint64_t bytes = 0;  // taken, and kept for use again
    std::uint64_t peak = 0;
  };
  Usage usage();

 private:
  struct State {
    std::vector<AlignedMemory> free;
    Usage usage;
  };
  const std::uint64_t budget_;
  Guarded<State> state_;
};

}  // namespace prewarm::agent
