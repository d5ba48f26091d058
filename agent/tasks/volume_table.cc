#include "agent/tasks/volume_table.h"

#include <algorithm>
#include <utility>

#include "common/async/offload.h"

namespace prewarm::agent {

VolumeTable::VolumeTable(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool,
                         CacheConfig config, Environment environment)
    : executor_(std::move(executor)),
      pool_(pool),
      config_(std::move(config)),
      environment_(std::move(environment)) {}

void VolumeTable::Describe(VolumeDescriptor descriptor) {
  auto& entry = entries_[descriptor.name];
  if (entry != nullptr && entry->descriptor == descriptor) return;
  entry = std::make_shared<Entry>(executor_);
  entry->descriptor = std::move(descriptor);
}

Task<Result<std::shared_ptr<OpenVolume>>> VolumeTable::Get(std::string name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) {
    co_return Fail(ErrorCode::kNotFound, "the controller has not described volume " + name);
  }
  const auto entry = at->second;  // stays what it is, even if the volume is described anew
  while (entry->volume == nullptr && entry->opening) {
    if (!co_await entry->opened.Wait()) {
      co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
  }
  if (entry->volume != nullptr) co_return entry->volume;
  entry->opening = true;
  auto volume = co_await Offload(
      pool_, [this, &entry] { return OpenVolume::Open(entry->descriptor, config_, environment_); });
  entry->opening = false;
  if (volume) entry->volume = *volume;
  entry->opened.Notify();
  if (!volume) co_return std::move(volume).error().Within("volume " + name);
  co_return volume;
}

void VolumeTable::Close(const std::string& name) {
  const auto at = entries_.find(name);
  if (at != entries_.end()) at->second->volume.reset();
}

std::vector<std::string> VolumeTable::Directories() const {
  std::vector<std::string> all = config_.dirs;
  for (const auto& [name, entry] : entries_) {
    for (const auto& directory : entry->descriptor.cache_directories) {
      if (std::ranges::find(all, directory) == all.end()) all.push_back(directory);
    }
  }
  return all;
}

}  // namespace prewarm::agent
