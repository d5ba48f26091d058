// What to fetch, in which order. A plan names every block that the visible bytes of some files
// need, once, in the order in which a starting model server wants them: small files (configuration,
// tokenizer, index), then the first block of every large file, then the large files in natural name
// order. Blocks are kept as runs and numbered, so that a plan of a 1 TiB model is a few hundred
// kilobytes and any block is found from its number. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/juicefs/block.h"
#include "common/juicefs/file_slices.h"

namespace prewarm::juicefs {

// `count` blocks of one slice in a row, from block `first_index` on.
struct BlockRun {
  SliceId slice;
  std::uint32_t slice_size = 0;
  std::uint32_t first_index = 0;
  std::uint32_t count = 0;

  bool operator==(const BlockRun&) const = default;
};

class BlockPlan {
 public:
  // Files up to this size are fetched first, whole.
  static constexpr std::uint64_t kSmallFileBytes = 16ULL << 20;

  // A petabyte in blocks of 4 MiB: more is a mistake, and would take memory for every block.
  static constexpr std::uint64_t kMaxBlocks = 1ULL << 28;

  BlockPlan() = default;
  BlockPlan(std::span<const FileSlices> files, std::uint32_t block_size);
  // The plan that gave these runs, on another machine. kInvalidArgument, naming the run: no block
  // size, an empty run, the hole, blocks behind the end of their slice, a block named twice, more
  // than kMaxBlocks.
  static Result<BlockPlan> FromRuns(std::span<const BlockRun> runs, std::uint32_t block_size);

  [[nodiscard]] std::uint64_t block_count() const { return block_count_; }
  // Plain bytes of all blocks: what the cache will hold, which is more than the files' visible
  // bytes where slices are partly hidden, and less where files share slices.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t block_size() const { return block_size_; }
  // The block with this number in fetch order; number < block_count().
  [[nodiscard]] BlockId At(std::uint64_t number) const;
  // The whole plan in fetch order; see FromRuns.
  [[nodiscard]] std::vector<BlockRun> Runs() const;

  bool operator==(const BlockPlan&) const = default;

 private:
  struct Run {
    std::uint64_t first_number = 0;
    SliceId slice;
    std::uint32_t slice_size = 0;
    std::uint32_t first_index = 0;

    bool operator==(const Run&) const = default;
  };
  class Builder;

  void Append(const BlockRun& run);

  std::uint32_t block_size_ = 0;
  std::uint64_t block_count_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<Run> runs_;  // ascending by first_number
};

}  // namespace prewarm::juicefs
