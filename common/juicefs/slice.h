// Slice records of a chunk (list c<inode>_<index>) and what a reader of the file sees of them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/juicefs/block.h"

namespace prewarm::juicefs {

// One record: `length` bytes, which start `offset` bytes into slice `id` of `size` bytes, become
// visible at `position` of the chunk. id 0 is a hole: zeros.
struct SliceRecord {
  std::uint32_t position = 0;
  SliceId id;
  std::uint32_t size = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;

  bool operator==(const SliceRecord&) const = default;
};

// kCorrupt unless the value is 24 bytes that stay inside the chunk and inside the slice.
Result<SliceRecord> ParseSliceRecord(std::string_view value);

// What is visible of the first `chunk_length` bytes of a chunk: disjoint, ascending by position,
// holes left out. Records are in list order; later ones overwrite earlier ones.
std::vector<SliceRecord> VisibleSegments(std::span<const SliceRecord> records,
                                         std::uint64_t chunk_length);

// The blocks that the visible part of `segment` needs: indexes [first, last] of its slice.
struct BlockRange {
  SliceId slice;
  std::uint32_t slice_size = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  bool operator==(const BlockRange&) const = default;
};
BlockRange BlocksOf(const SliceRecord& segment, std::uint32_t block_size);

// Block `index` of a slice.
BlockId BlockOf(SliceId slice, std::uint32_t slice_size, std::uint32_t index,
                std::uint32_t block_size);

}  // namespace prewarm::juicefs
