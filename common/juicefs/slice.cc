#include "common/juicefs/slice.h"

#include <algorithm>
#include <queue>
#include <string>

#include "common/base/check.h"
#include "common/juicefs/bytes.h"

namespace prewarm::juicefs {
namespace {

constexpr std::size_t kRecordBytes = 24;

std::uint64_t EndOf(const SliceRecord& record) {
  return std::uint64_t{record.position} + record.length;
}

// The part [from, to) of a record, whose chunk positions it lies within.
SliceRecord Part(const SliceRecord& record, std::uint64_t from, std::uint64_t to) {
  SliceRecord part = record;
  part.position = static_cast<std::uint32_t>(from);
  part.offset += static_cast<std::uint32_t>(from - record.position);
  part.length = static_cast<std::uint32_t>(to - from);
  return part;
}

bool AscendingAndDisjoint(std::span<const SliceRecord> records) {
  std::uint64_t end = 0;
  for (const SliceRecord& record : records) {
    if (record.position < end) return false;
    end = EndOf(record);
  }
  return true;
}

// Walks the chunk from one border of a record to the next; between two borders the latest of the
// records that span them is what a reader sees.
class Overlay {
 public:
  explicit Overlay(std::span<const SliceRecord> records) : records_(records) {
    by_position_.reserve(records.size());
    borders_.reserve(2 * records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].length == 0) continue;
      by_position_.push_back(i);
      borders_.push_back(records[i].position);
      borders_.push_back(EndOf(records[i]));
    }
    std::ranges::sort(by_position_, {}, [&](std::size_t i) { return records_[i].position; });
    std::ranges::sort(borders_);
    const auto repeated = std::ranges::unique(borders_);
    borders_.erase(repeated.begin(), repeated.end());
  }

  // Calls `visit(record, from, to)` in ascending order, holes included.
  template <class Visit>
  void ForEachVisible(Visit visit) {
    std::priority_queue<std::size_t> spanning;  // list indexes, the latest on top
    auto next = by_position_.begin();
    std::size_t run = 0;  // the record whose visible run began at run_start
    std::uint64_t run_start = 0;
    bool running = false;
    for (const std::uint64_t border : borders_) {
      for (; next != by_position_.end() && records_[*next].position == border; ++next) {
        spanning.push(*next);
      }
      while (!spanning.empty() && EndOf(records_[spanning.top()]) <= border) spanning.pop();
      if (running && !spanning.empty() && spanning.top() == run) continue;
      if (running) visit(records_[run], run_start, border);
      running = !spanning.empty();
      if (running) run = spanning.top();
      run_start = border;
    }
  }

 private:
  std::span<const SliceRecord> records_;
  std::vector<std::size_t> by_position_;
  std::vector<std::uint64_t> borders_;
};

}  // namespace

Result<SliceRecord> ParseSliceRecord(std::string_view value) {
  if (value.size() != kRecordBytes) {
    return Fail(ErrorCode::kCorrupt, "a slice record of " + std::to_string(value.size()) +
                                         " bytes instead of " + std::to_string(kRecordBytes));
  }
  SliceRecord record;
  record.position = BigEndian<std::uint32_t>(value, 0);
  record.id = SliceId(BigEndian<std::uint64_t>(value, 4));
  record.size = BigEndian<std::uint32_t>(value, 12);
  record.offset = BigEndian<std::uint32_t>(value, 16);
  record.length = BigEndian<std::uint32_t>(value, 20);
  if (EndOf(record) > kChunkBytes) {
    return Fail(ErrorCode::kCorrupt,
                "a slice record ends at " + std::to_string(EndOf(record)) + ", behind its chunk");
  }
  const std::uint64_t needed = std::uint64_t{record.offset} + record.length;
  if (record.id.value != 0 && needed > record.size) {
    return Fail(ErrorCode::kCorrupt, "a slice record shows bytes up to " + std::to_string(needed) +
                                         " of slice " + std::to_string(record.id.value) +
                                         ", which has " + std::to_string(record.size));
  }
  return record;
}

std::vector<SliceRecord> VisibleSegments(std::span<const SliceRecord> records,
                                         std::uint64_t chunk_length) {
  const std::uint64_t limit = std::min(chunk_length, kChunkBytes);
  std::vector<SliceRecord> visible;
  auto keep = [&](const SliceRecord& record, std::uint64_t from, std::uint64_t to) {
    to = std::min(to, limit);
    if (record.id.value != 0 && from < to) visible.push_back(Part(record, from, to));
  };
  // A chunk written once, or by appending, needs no overlay.
  if (AscendingAndDisjoint(records)) {
    visible.reserve(records.size());
    for (const SliceRecord& record : records) keep(record, record.position, EndOf(record));
  } else {
    Overlay(records).ForEachVisible(keep);
  }
  return visible;
}

BlockRange BlocksOf(const SliceRecord& segment, std::uint32_t block_size) {
  PREWARM_CHECK(segment.length > 0 && block_size > 0, "an empty segment needs no blocks");
  const std::uint64_t last_byte = std::uint64_t{segment.offset} + segment.length - 1;
  return {segment.id, segment.size, segment.offset / block_size,
          static_cast<std::uint32_t>(last_byte / block_size)};
}

BlockId BlockOf(SliceId slice, std::uint32_t slice_size, std::uint32_t index,
                std::uint32_t block_size) {
  const std::uint64_t start = std::uint64_t{index} * block_size;
  PREWARM_CHECK(start < slice_size, "a slice has no block behind its end");
  return {slice, index,
          static_cast<std::uint32_t>(std::min<std::uint64_t>(block_size, slice_size - start))};
}

}  // namespace prewarm::juicefs
