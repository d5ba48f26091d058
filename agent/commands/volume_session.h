// Everything that `warm` and `verify` need before they look at the first block: the mount (if any),
// the metadata engine, the volume's settings and keys, its store, its cache directories.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/cache/block_cache.h"
#include "agent/commands/options.h"
#include "agent/mount/cache_verdict.h"
#include "agent/mount/mounts.h"
#include "agent/mount/visibility.h"
#include "agent/store/store_factory.h"
#include "agent/warm/fetch_run.h"
#include "common/base/clock.h"
#include "common/juicefs/block_codec.h"
#include "common/juicefs/volume_settings.h"
#include "common/metadata/redis_client.h"
#include "common/metadata/volume_reader.h"

namespace prewarm::agent {

// What agent.cc owns and every command uses.
struct CommandContext {
  const Clock& clock;
  boost::asio::any_io_executor control;
  boost::asio::thread_pool& disk_pool;
};

// What a command does with the cache directories of its options.
enum class CacheUse : std::uint8_t { kNone, kRead, kPrepare };

class VolumeSession {
 public:
  // Connects and reads. kInvalidArgument is the caller's mistake (exit 2); everything else is the
  // world's (exit 1). kPrepare makes missing cache directories.
  static Task<Result<std::unique_ptr<VolumeSession>>> Open(const CommandContext& context,
                                                           VolumeOptions options, CacheUse use);

  // The files that the request names; again after the metadata changed.
  Task<Result<metadata::ResolvedPaths>> Resolve(
      std::function<void(const metadata::ResolveProgress&)> on_progress);

  // Reads <volume>/juicefs_uuid: the bucket must exist, let us in and belong to this volume.
  // kConflict: it belongs to another one. A store without that object passes.
  Task<Status> CheckStore();

  // A client of the volume's store, to be used on one executor.
  Result<std::unique_ptr<ObjectStore>> MakeStore() const;

  [[nodiscard]] const juicefs::VolumeSettings& settings() const { return settings_; }
  [[nodiscard]] const juicefs::BlockCodec& codec() const { return *codec_; }
  // These two not with CacheUse::kNone.
  [[nodiscard]] const WarmParts& parts() const { return *parts_; }
  [[nodiscard]] BlockCache& cache() const { return *cache_; }
  [[nodiscard]] const VolumeOptions& options() const { return options_; }
  // When the clients of this node see what is stored now; looks at the mounts afresh.
  [[nodiscard]] std::vector<MountVisibility> LookAtMounts() const;
  // The same once everything is stored; clients that should see it at once are asked whether they
  // do. A stop of the token ends that.
  Task<std::vector<MountVisibility>> AskMounts(std::uint64_t planned_bytes,
                                               std::stop_token stop) const;

 private:
  VolumeSession(const CommandContext& context, VolumeOptions options)
      : context_(context), options_(std::move(options)) {}

  Status TakeFromMount();
  Task<Status> ConnectAndRead();
  Status OpenCache(CacheUse use);
  [[nodiscard]] std::vector<MountVisibility> AskMountsNow(const PlannedData& planned,
                                                          const std::stop_token& stop) const;

  const CommandContext& context_;
  VolumeOptions options_;
  std::unique_ptr<metadata::RedisClient> redis_;
  juicefs::VolumeSettings settings_;
  StoreOptions store_options_;
  std::optional<juicefs::BlockCodec> codec_;
  std::unique_ptr<BlockCache> cache_;
  std::optional<WarmParts> parts_;
};

}  // namespace prewarm::agent
