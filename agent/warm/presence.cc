#include "agent/warm/presence.h"

#include "common/base/check.h"

namespace prewarm::agent {

void PlannedWork::Add(const PlannedWork& other) {
  present_blocks += other.present_blocks;
  present_bytes += other.present_bytes;
  missing_blocks += other.missing_blocks;
  missing_bytes += other.missing_bytes;
  directories.resize(std::max(directories.size(), other.directories.size()));
  for (std::size_t i = 0; i < other.directories.size(); ++i) {
    directories[i].missing_blocks += other.directories[i].missing_blocks;
    directories[i].missing_bytes += other.directories[i].missing_bytes;
  }
}

Result<PlannedWork> ScanPresence(BlockCache& cache, const juicefs::BlockPlan& plan,
                                 std::uint64_t first, std::uint64_t last, Presence& presence) {
  PREWARM_CHECK(first % 64 == 0, "parts of a presence scan must not share a word");
  PlannedWork work;
  work.directories.resize(cache.directory_count());
  for (std::uint64_t number = first; number < last; ++number) {
    const auto block = plan.At(number);
    TRY(const BlockState state, cache.StateOf(block));
    if (state == BlockState::kWhole || state == BlockState::kStaged) {
      presence.Set(number);
      ++work.present_blocks;
      work.present_bytes += block.size;
      continue;
    }
    ++work.missing_blocks;
    work.missing_bytes += block.size;
    auto& directory = work.directories[cache.DirectoryOf(block)];
    ++directory.missing_blocks;
    directory.missing_bytes += block.size;
  }
  return work;
}

}  // namespace prewarm::agent
