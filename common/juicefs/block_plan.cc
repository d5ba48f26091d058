#include "common/juicefs/block_plan.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"
#include "common/juicefs/natural_order.h"

namespace prewarm::juicefs {
namespace {

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

// What makes a run by itself impossible; empty if nothing does.
std::string_view WhatIsWrong(const BlockRun& run, std::uint32_t block_size) {
  if (run.slice.value == 0) return "names the hole, which has no blocks";
  if (run.count == 0) return "is empty";
  const std::uint64_t last_index = std::uint64_t{run.first_index} + run.count - 1;
  if (last_index * block_size >= run.slice_size) return "goes behind the end of its slice";
  return {};
}

// The later of two runs that share a block, by its place in `runs`.
std::optional<std::size_t> FirstRepeated(std::span<const BlockRun> runs) {
  std::vector<std::size_t> order(runs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) {
    return std::pair(runs[i].slice.value, runs[i].first_index);
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const BlockRun& before = runs[order[i - 1]];
    const BlockRun& run = runs[order[i]];
    if (before.slice == run.slice && run.first_index - before.first_index < before.count) {
      return std::max(order[i - 1], order[i]);
    }
  }
  return std::nullopt;
}

Error Refuse(std::size_t run, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "run " + std::to_string(run) + " of a plan " + why);
}

}  // namespace

class BlockPlan::Builder {
 public:
  explicit Builder(BlockPlan& plan) : plan_(plan) {}

  void AddFile(const FileSlices& file) {
    for (const auto& segment : file.segments) {
      Add(BlocksOf(segment, plan_.block_size_));
    }
  }

  void AddFirstBlock(const FileSlices& file) {
    if (file.segments.empty()) return;
    BlockRange range = BlocksOf(file.segments.front(), plan_.block_size_);
    range.last = range.first;
    Add(range);
  }

 private:
  void Add(const BlockRange& range) {
    for (const auto& part : planned_[range.slice].Add({range.first, range.last})) {
      plan_.Append({range.slice, range.slice_size, part.first, part.last - part.first + 1});
    }
  }

  BlockPlan& plan_;
  std::unordered_map<SliceId, IndexSet> planned_;
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

void BlockPlan::Append(const BlockRun& run) {
  runs_.push_back({block_count_, run.slice, run.slice_size, run.first_index});
  block_count_ += run.count;
  const auto last =
      BlockOf(run.slice, run.slice_size, run.first_index + run.count - 1, block_size_);
  bytes_ += std::uint64_t{run.count - 1} * block_size_ + last.size;
}

Result<BlockPlan> BlockPlan::FromRuns(std::span<const BlockRun> runs, std::uint32_t block_size) {
  if (block_size == 0) return Fail(ErrorCode::kInvalidArgument, "a plan with blocks of no size");
  BlockPlan plan;
  plan.block_size_ = block_size;
  plan.runs_.reserve(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const BlockRun& run = runs[i];
    if (const auto wrong = WhatIsWrong(run, block_size); !wrong.empty()) {
      return Refuse(i, std::string(wrong));
    }
    if (run.count > kMaxBlocks - plan.block_count_) {
      return Refuse(i, "exceeds the " + std::to_string(kMaxBlocks) + " blocks a plan may have");
    }
    plan.Append(run);
  }
  if (const auto repeated = FirstRepeated(runs)) return Refuse(*repeated, "names a block again");
  return plan;
}

std::vector<BlockRun> BlockPlan::Runs() const {
  std::vector<BlockRun> runs;
  runs.reserve(runs_.size());
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const Run& run = runs_[i];
    const auto end = i + 1 < runs_.size() ? runs_[i + 1].first_number : block_count_;
    runs.push_back({run.slice, run.slice_size, run.first_index,
                    static_cast<std::uint32_t>(end - run.first_number)});
  }
  return runs;
}

BlockId BlockPlan::At(std::uint64_t number) const {
  PREWARM_CHECK(number < block_count_, "a block number beyond the plan");
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), number,
                       [](std::uint64_t n, const Run& run) { return n < run.first_number; });
  const Run& run = *std::prev(after);
  const auto index = run.first_index + static_cast<std::uint32_t>(number - run.first_number);
  return BlockOf(run.slice, run.slice_size, index, block_size_);
}

}  // namespace prewarm::juicefs
