// Gives staged blocks their names: durable first, named second, never over anything that is there.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "agent/cache/block_cache.h"
#include "agent/cache/cache_directory.h"
#include "common/base/result.h"

namespace prewarm::agent {

struct PublishRules {
  bool hash_prefix = false;
  bool batch_sync = true;  // one syncfs, else one fdatasync per block
};

// Blocks staged in `directory`; one answer each, in order.
std::vector<Result<Published>> PublishInto(CacheDirectory& directory,
                                           std::span<StagedBlock* const> blocks,
                                           PublishRules rules);

}  // namespace prewarm::agent
