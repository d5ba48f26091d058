// A cache that remembers which blocks were published through it, so that a task knows which files
// are its own and may be taken away again. Everything else is the cache behind it. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/cache/block_cache.h"
#include "common/async/guarded.h"
#include "common/base/clock.h"

namespace prewarm::agent {

// A file that this process made.
struct PublishedBlock {
  juicefs::BlockId block;
  std::uint64_t inode = 0;
};

class RecordingCache final : public BlockCache {
 public:
  // Both outlive this.
  RecordingCache(BlockCache& cache, const Clock& clock) : cache_(cache), clock_(clock) {}

  // What was published since the last call.
  std::vector<PublishedBlock> Take();
  // Looking for blocks fails from now on: a scan of a large plan has no other end.
  void Interrupt() { interrupted_ = true; }
  // When the first block was.
  std::optional<WallTime> first_at();

  [[nodiscard]] std::size_t directory_count() const override { return cache_.directory_count(); }
  Result<std::vector<DirectoryUsage>> Usage() override { return cache_.Usage(); }
  [[nodiscard]] std::size_t DirectoryOf(juicefs::BlockId block) const override {
    return cache_.DirectoryOf(block);
  }
  Result<BlockState> StateOf(juicefs::BlockId block) override {
    if (interrupted_) return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    return cache_.StateOf(block);
  }
  Result<int> OpenBlock(juicefs::BlockId block) override { return cache_.OpenBlock(block); }
  Result<SpaceReservation> Reserve(juicefs::BlockId block) override {
    return cache_.Reserve(block);
  }
  Result<StagedBlock> Stage(juicefs::BlockId block, std::span<std::byte> buffer, std::size_t size,
                            SpaceReservation reservation) override {
    return cache_.Stage(block, buffer, size, std::move(reservation));
  }
  std::vector<Result<Published>> Publish(std::vector<StagedBlock> blocks) override;
  Result<bool> Remove(juicefs::BlockId block, std::uint64_t inode) override {
    return cache_.Remove(block, inode);
  }

 private:
  struct Seen {
    std::vector<PublishedBlock> blocks;
    std::optional<WallTime> first_at;
  };
  BlockCache& cache_;
  const Clock& clock_;
  std::atomic<bool> interrupted_{false};
  Guarded<Seen> seen_;
};

}  // namespace prewarm::agent
