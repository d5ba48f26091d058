#include "agent/tasks/open_volume.h"

#include <utility>

namespace prewarm::agent {
namespace {

CacheOptions OptionsFor(const juicefs::VolumeSettings& settings, const CacheConfig& config,
                        std::vector<std::string> directories) {
  CacheOptions options;
  options.directories = std::move(directories);
  options.uuid = settings.uuid;
  options.hash_prefix = settings.hash_prefix;
  options.file_mode = config.mode;
  options.cache_size = config.size;
  options.free_space_ratio = config.free_space_ratio;
  options.minimum_free_ratio = config.min_free_ratio;
  // A client may mount at any time while this is open, and would feel our syncfs on its own writes.
  options.batch_sync = false;
  return options;
}

}  // namespace

Result<std::shared_ptr<OpenVolume>> OpenVolume::Open(const VolumeDescriptor& descriptor,
                                                     const CacheConfig& config,
                                                     const Environment& environment) {
  TRY(auto settings, juicefs::ParseVolumeSettings(descriptor.setting));
  const auto passphrase = descriptor.rsa_passphrase.empty()
                              ? Secret(environment("JFS_RSA_PASSPHRASE").value_or(""))
                              : descriptor.rsa_passphrase;
  TRY(auto codec, juicefs::BlockCodec::Create(settings, passphrase));
  auto volume = std::make_shared<OpenVolume>(std::move(settings), std::move(codec));
  volume->store_ = StoreOptionsFor(volume->settings_, environment);
  volume->directories_ =
      descriptor.cache_directories.empty() ? config.dirs : descriptor.cache_directories;
  volume->download_limit_ = descriptor.download_limit;
  TRY(volume->cache_,
      BlockCache::Open(OptionsFor(volume->settings_, config, volume->directories_)));
  return volume;
}

}  // namespace prewarm::agent
