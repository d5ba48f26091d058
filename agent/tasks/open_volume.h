// A volume as its tasks use it: settings, keys, store and cache directories, made from what the
// controller says and from the agent's own configuration and environment.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent_config.h"
#include "agent/cache/block_cache.h"
#include "agent/store/object_store.h"
#include "agent/store/store_factory.h"
#include "agent/tasks/task_values.h"
#include "common/base/clock.h"
#include "common/juicefs/block_codec.h"
#include "common/juicefs/volume_settings.h"

namespace prewarm::agent {

class OpenVolume {
 public:
  // Blocking. kInvalidArgument: a setting or a cache directory that cannot be used.
  static Result<std::shared_ptr<OpenVolume>> Open(const VolumeDescriptor& descriptor,
                                                  const CacheConfig& config,
                                                  const Environment& environment);

  [[nodiscard]] const juicefs::VolumeSettings& settings() const { return settings_; }
  [[nodiscard]] const juicefs::BlockCodec& codec() const { return codec_; }
  [[nodiscard]] BlockCache& cache() const { return *cache_; }
  // As --cache-dir names them.
  [[nodiscard]] const std::vector<std::string>& directories() const { return directories_; }
  // The limit that comes with the volume; 0: none.
  [[nodiscard]] std::uint64_t download_limit() const { return download_limit_; }
  Result<std::unique_ptr<ObjectStore>> MakeStore(boost::asio::thread_pool& pool,
                                                 const Clock& clock) const {
    return MakeObjectStore(store_, pool, clock);
  }

  OpenVolume(juicefs::VolumeSettings settings, juicefs::BlockCodec codec)
      : settings_(std::move(settings)), codec_(std::move(codec)) {}

 private:
  juicefs::VolumeSettings settings_;
  juicefs::BlockCodec codec_;
  StoreOptions store_;
  std::vector<std::string> directories_;
  std::unique_ptr<BlockCache> cache_;
  std::uint64_t download_limit_ = 0;
};

}  // namespace prewarm::agent
