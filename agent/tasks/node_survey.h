// What the node has: its cache directories with their room and disks, the volumes in them, the
// mounts. Looked at in the background, so that whoever asks gets the last answer at once. Lives on
// the control executor.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent_config.h"
#include "agent/cache/disk_probe.h"
#include "agent/tasks/mount_watch.h"
#include "agent/tasks/task_values.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/process/log.h"

namespace prewarm::agent {

class NodeSurvey {
 public:
  struct Context {
    const Clock& clock;
    boost::asio::thread_pool& pool;  // not the one that writes blocks
    MountWatch& mounts;
    Logger log;
    CacheConfig cache;
    std::function<std::vector<std::string>()> entries;  // cache directories to look at
    std::function<std::uint64_t()>
        ended;  // tasks so far: another one is a reason to look at volumes
  };
  explicit NodeSurvey(Context context) : context_(std::move(context)) {}

  // Room and volumes once; then, until stopped, room every few seconds and volumes every minute, or
  // sooner after a task has ended.
  Task<void> Look();
  Task<void> Follow();
  // Each disk once. Some seconds of reading and writing.
  Task<void> MeasureDisks();

  [[nodiscard]] const std::vector<DirectoryState>& directories() const { return directories_; }
  [[nodiscard]] const std::vector<VolumeState>& volumes() const { return volumes_; }
  [[nodiscard]] const Measured& measured() const { return measured_; }
  // Why no block could be stored here; nothing if all is well.
  [[nodiscard]] const std::optional<std::string>& unusable() const { return unusable_; }

 private:
  Task<void> LookAtRoom();
  Task<void> LookAtVolumes();

  Context context_;
  std::vector<DirectoryState> directories_;
  std::vector<VolumeState> volumes_;
  std::map<std::string, std::string> disks_;  // by directory, as measured
  Measured measured_;
  std::optional<std::string> unusable_ = "the cache directories have not been looked at yet";
};

}  // namespace prewarm::agent
