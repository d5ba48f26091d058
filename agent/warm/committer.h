// Group commit of staged blocks: one sync makes several blocks durable, because a sync costs more
// than most blocks do. A batch goes when it is full, or at once when no other block is on its way
// to it, so that a slow link never delays a block and no timer is needed.
// Thread-safe; a caller resumes on its own executor.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <functional>
#include <vector>

#include "agent/cache/block_cache.h"
#include "common/async/guarded.h"
#include "common/async/task.h"

namespace prewarm::agent {

class Committer {
 public:
  static constexpr std::size_t kBatch = 8;

  Committer(BlockCache& cache, boost::asio::thread_pool& disk_pool)
      : cache_(cache), disk_pool_(disk_pool) {}

  // Says that a block is on its way: Commit for it, or AnnounceFailed, must follow.
  void Announce();
  void AnnounceFailed();
  // Answers when the block is durable and has its name, or has failed; see BlockCache::Publish.
  Task<Result<Published>> Commit(StagedBlock block);

 private:
  struct Waiting {
    StagedBlock block;
    std::function<void(Result<Published>)> resume;
  };
  struct State {
    std::size_t announced = 0;
    bool publishing = false;
    std::vector<Waiting> waiting;
  };
  void Add(Waiting waiting);
  // Takes a batch if one is due and none is being published.
  static std::vector<Waiting> TakeDue(State& state);
  void PublishOnPool(std::vector<Waiting> batch);

  BlockCache& cache_;
  boost::asio::thread_pool& disk_pool_;
  Guarded<State> state_;
};

}  // namespace prewarm::agent
