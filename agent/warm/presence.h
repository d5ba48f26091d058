// Which blocks of a plan are already whole in the cache: a bit per block. Filled once before a run
// by looking at every block's file (from several threads, each with a part of its own), then read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/cache/block_cache.h"
#include "common/base/result.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

class Presence {
 public:
  explicit Presence(std::uint64_t block_count) : words_((block_count + 63) / 64) {}

  [[nodiscard]] bool Has(std::uint64_t number) const {
    return (words_[number / 64] >> (number % 64) & 1) != 0;
  }
  void Set(std::uint64_t number) { words_[number / 64] |= std::uint64_t{1} << (number % 64); }

 private:
  std::vector<std::uint64_t> words_;
};

// What a run has to do, and where the bytes go.
struct PlannedWork {
  struct PerDirectory {
    std::uint64_t missing_blocks = 0;
    std::uint64_t missing_bytes = 0;  // plain bytes
  };
  std::uint64_t present_blocks = 0;
  std::uint64_t present_bytes = 0;
  std::uint64_t missing_blocks = 0;
  std::uint64_t missing_bytes = 0;
  std::vector<PerDirectory> directories;

  void Add(const PlannedWork& other);
};

// Looks at the blocks [first, last) and marks what is whole. `first` must be a multiple of 64, so
// that parts do not share a word. Blocking. Whatever stands under a block's name and is not whole
// counts as missing: publishing it will report what it is.
Result<PlannedWork> ScanPresence(BlockCache& cache, const juicefs::BlockPlan& plan,
                                 std::uint64_t first, std::uint64_t last, Presence& presence);

// The missing blocks of a plan, in order. Both must outlive it.
class WorkCursor {
 public:
  WorkCursor(const juicefs::BlockPlan& plan, const Presence& presence)
      : plan_(plan), presence_(presence) {}

  std::optional<std::uint64_t> Next() {
    while (next_ < plan_.block_count()) {
      const std::uint64_t number = next_++;
      if (!presence_.Has(number)) return number;
    }
    return std::nullopt;
  }

 private:
  const juicefs::BlockPlan& plan_;
  const Presence& presence_;
  std::uint64_t next_ = 0;
};

}  // namespace prewarm::agent
