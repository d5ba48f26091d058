// The volumes that prewarms may name: their metadata, read when it is needed, and what agents are
// told about them. Lives on the control executor.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/juicefs/volume_settings.h"
#include "common/metadata/redis_client.h"
#include "common/metadata/volume_reader.h"
#include "controller/agents/wire.h"
#include "controller/controller_config.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

// JuiceFS's `setting` document as an agent gets it: storage and bucket as configured, and without
// the keys to the store unless they are handed over. kCorrupt: it is not a JSON object.
Result<std::string> SettingForAgents(const std::string& setting, const VolumeConfig& config);

class Volume {
 public:
  Volume(std::string name, VolumeConfig config, const Clock& clock);
  ~Volume();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const VolumeConfig& config() const { return config_; }
  [[nodiscard]] bool MayUse(const std::string& name_space) const;

  // Connects if need be. What agents are told; absent before the first success.
  Task<Status> Refresh();
  [[nodiscard]] const std::optional<VolumeDescriptor>& descriptor() const { return descriptor_; }
  [[nodiscard]] const std::string& storage() const { return storage_; }
  // As `juicefs format` was told; of the last success.
  [[nodiscard]] const std::string& format_name() const { return format_name_; }
  [[nodiscard]] std::uint32_t block_size() const { return block_size_; }  // bytes
  // How the last call to the metadata went.
  [[nodiscard]] const Status& health() const { return health_; }
  [[nodiscard]] std::uint64_t redis_calls() const { return redis_calls_; }

  // kNotFound and kInvalidArgument are about a path; kUnavailable and kTimeout about the engine.
  Task<Result<metadata::ResolvedPaths>> Resolve(std::vector<std::string> paths);
  // What lies at a path of the volume as the controller's `subdir` shows it; errors as Resolve.
  Task<Result<metadata::DirectoryListing>> List(std::string path);
  Task<Result<ResolvedPlan>> Plan(std::vector<std::string> paths);
  // The same, over a connection of the caller's.
  Task<Result<ResolvedPlan>> PlanOver(metadata::RedisClient& client,
                                      std::vector<std::string> paths);
  // Of the metadata, from where the configuration says that it is.
  [[nodiscard]] Result<metadata::RedisUrl> Url() const;

  // How kept prewarms of the volume are followed; written by the follower.
  struct Following {
    bool tracking = false;            // the metadata tells of changes
    std::uint64_t invalidations = 0;  // keys that it told of
  };
  [[nodiscard]] const Following& following() const { return following_; }
  void NoteFollowing(bool tracking, std::uint64_t invalidations) {
    following_ = {tracking, following_.invalidations + invalidations};
  }

 private:
  using Client = std::unique_ptr<metadata::RedisClient>;

  Result<Client> Take();
  void GiveBack(Client client);  // of the call that health() tells of
  // A call to the metadata within its deadline; health() tells how it went.
  template <class T>
  Task<Result<T>> Ask(Task<Result<T>> call);
  Task<Status> ReadSettings(metadata::RedisClient& client);
  Task<Result<metadata::ResolvedPaths>> ResolveOver(metadata::RedisClient& client,
                                                    std::vector<std::string> paths);
  [[nodiscard]] ResolvedPlan PlanOf(const metadata::ResolvedPaths& resolved,
                                    const std::vector<std::string>& paths) const;

  const std::string name_;
  const VolumeConfig config_;
  const Clock& clock_;
  std::vector<Client> idle_;  // a client serves one call at a time
  std::optional<VolumeDescriptor> descriptor_;
  std::string storage_;
  std::string format_name_;
  std::uint32_t block_size_ = 0;
  SteadyTime settings_read_{};
  Status health_;
  std::uint64_t redis_calls_ = 0;
  Following following_;
};
// By name. Shared, because a configuration read anew may drop one that is being asked.
using VolumeMap = std::map<std::string, std::shared_ptr<Volume>>;

}  // namespace prewarm::controller
