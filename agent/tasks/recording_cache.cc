#include "agent/tasks/recording_cache.h"

#include <sys/stat.h>

#include <utility>

namespace prewarm::agent {

std::vector<PublishedBlock> RecordingCache::Take() {
  return seen_.With([](Seen& seen) { return std::exchange(seen.blocks, {}); });
}

std::optional<WallTime> RecordingCache::first_at() {
  return seen_.With([](const Seen& seen) { return seen.first_at; });
}

std::vector<Result<Published>> RecordingCache::Publish(std::vector<StagedBlock> blocks) {
  // A block keeps its inode when it gets its name, and the descriptor is gone afterwards.
  std::vector<PublishedBlock> staged;
  for (const auto& block : blocks) {
    struct stat file{};
    const bool known = ::fstat(block.fd(), &file) == 0;
    staged.push_back({block.block(), known ? file.st_ino : 0});
  }
  auto answers = cache_.Publish(std::move(blocks));
  const auto now = clock_.WallNow();
  seen_.With([&](Seen& seen) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i] || *answers[i] != Published::kStored) continue;
      if (staged[i].inode != 0) seen.blocks.push_back(staged[i]);
      if (!seen.first_at) seen.first_at = now;
    }
  });
  return answers;
}

}  // namespace prewarm::agent
