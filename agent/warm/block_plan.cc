#include "agent/warm/block_plan.h"

#include <algorithm>
#include <unordered_map>

#include "agent/warm/natural_order.h"
#include "common/base/check.h"

namespace prewarm::agent {
namespace {

using juicefs::BlockRange;
using juicefs::FileSlices;

// Block indexes of one slice that are already planned: disjoint, ascending, closed intervals.
class IndexSet {
 public:
  struct Interval {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
  };

  // Adds [first, last] and returns the parts of it that were not there yet.
  std::vector<Interval> Add(Interval wanted) {
    std::vector<Interval> fresh;
    std::vector<Interval> merged;
    Interval whole = wanted;
    std::uint64_t next = wanted.first;  // 64 bits: one past the largest index is representable
    for (const Interval& known : intervals_) {
      if (known.last < wanted.first || known.first > wanted.last) {
        merged.push_back(known);
        continue;
      }
      if (known.first > next) fresh.push_back({static_cast<std::uint32_t>(next), known.first - 1});
      next = std::max<std::uint64_t>(next, std::uint64_t{known.last} + 1);
      whole = {std::min(whole.first, known.first), std::max(whole.last, known.last)};
    }
    if (next <= wanted.last) fresh.push_back({static_cast<std::uint32_t>(next), wanted.last});
    merged.insert(std::upper_bound(merged.begin(), merged.end(), whole,
                                   [](Interval a, Interval b) { return a.first < b.first; }),
                  whole);
    intervals_ = std::move(merged);
    return fresh;
  }

 private:
  std::vector<Interval> intervals_;
};

}  // namespace

class BlockPlan::Builder {
 public:
  explicit Builder(BlockPlan& plan) : plan_(plan) {}

  void AddFile(const FileSlices& file) {
    for (const auto& segment : file.segments) {
      Add(juicefs::BlocksOf(segment, plan_.block_size_));
    }
  }

  void AddFirstBlock(const FileSlices& file) {
    if (file.segments.empty()) return;
    BlockRange range = juicefs::BlocksOf(file.segments.front(), plan_.block_size_);
    range.last = range.first;
    Add(range);
  }

 private:
  void Add(const BlockRange& range) {
    for (const auto& part : planned_[range.slice].Add({range.first, range.last})) {
      plan_.runs_.push_back({plan_.block_count_, range.slice, range.slice_size, part.first});
      plan_.block_count_ += std::uint64_t{part.last} - part.first + 1;
      const auto last =
          juicefs::BlockOf(range.slice, range.slice_size, part.last, plan_.block_size_);
      plan_.bytes_ += std::uint64_t{part.last - part.first} * plan_.block_size_ + last.size;
    }
  }

  BlockPlan& plan_;
  std::unordered_map<juicefs::SliceId, IndexSet> planned_;
};

BlockPlan::BlockPlan(std::span<const FileSlices> files, std::uint32_t block_size)
    : block_size_(block_size) {
  std::vector<const FileSlices*> small;
  std::vector<const FileSlices*> large;
  for (const auto& file : files) {
    (file.length <= kSmallFileBytes ? small : large).push_back(&file);
  }
  const auto by_name = [](const FileSlices* a, const FileSlices* b) {
    return NaturalLess(a->path, b->path);
  };
  std::sort(small.begin(), small.end(), by_name);
  std::sort(large.begin(), large.end(), by_name);

  Builder builder(*this);
  for (const auto* file : small) builder.AddFile(*file);
  for (const auto* file : large) builder.AddFirstBlock(*file);
  for (const auto* file : large) builder.AddFile(*file);
  runs_.shrink_to_fit();
}

juicefs::BlockId BlockPlan::At(std::uint64_t number) const {
  PREWARM_CHECK(number < block_count_, "a block number beyond the plan");
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), number,
                       [](std::uint64_t n, const Run& run) { return n < run.first_number; });
  const Run& run = *std::prev(after);
  const auto index = run.first_index + static_cast<std::uint32_t>(number - run.first_number);
  return juicefs::BlockOf(run.slice, run.slice_size, index, block_size_);
}

}  // namespace prewarm::agent
