// What the paths of kept prewarms mean now. Prewarms of the same paths share one reading; a volume
// whose metadata tells of changes is read when it has told of one, others by the clock. Lives on
// the control executor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/metadata/tracked_redis.h"
#include "common/process/log.h"
#include "controller/reconcile/follow_timer.h"
#include "controller/reconcile/reconcile_metrics.h"
#include "controller/reconcile/volumes.h"

namespace prewarm::controller {

// About a path, not about the engine that was asked: the same answer is to be expected again.
bool IsAboutThePath(const Error& error);

struct FollowParts {
  boost::asio::any_io_executor executor;
  const Clock& clock;
  Logger& log;
  ReconcileMetrics& metrics;
  std::function<void()> on_reading;  // there is a new one
};

// The kept prewarms of one volume.
class VolumeFollower {
 public:
  struct Reading {
    // Grows over all readings that brought something new.
    std::uint64_t version = 0;
    Result<std::shared_ptr<const ResolvedPlan>> plan;
  };

  // All but the volume outlive it. `last_version` is counted up.
  VolumeFollower(const FollowParts& parts, std::shared_ptr<Volume> volume, const FollowPace& pace,
                 std::uint64_t& last_version);

  [[nodiscard]] const Volume* volume() const { return volume_.get(); }
  // Null: not read yet.
  const Reading* Follow(const std::vector<std::string>& paths);
  // False: nothing is followed any more.
  bool DropOthers();

  // Until End, or until the task is stopped.
  Task<void> Run();
  void End();

 private:
  struct Followed {
    std::vector<std::string> paths;
    bool wanted = true;
    FollowTimer timer;
    std::vector<metadata::KeyHash> keys;     // that the reading depends on; ascending
    std::vector<metadata::KeyHash> arrived;  // changed while it was being read
    std::unique_ptr<Reading> reading;
  };

  [[nodiscard]] bool Told() const { return redis_ != nullptr && redis_->tracking(); }
  [[nodiscard]] std::shared_ptr<Followed> Next() const;
  Task<void> Read(std::shared_ptr<Followed> followed);
  Task<Result<ResolvedPlan>> ReadPlan(std::shared_ptr<Followed> followed);
  void Take(Followed& followed, Result<ResolvedPlan> plan);
  void Hear(const metadata::Changes& changes);
  void SayHow();

  const FollowParts& parts_;
  const std::shared_ptr<Volume> volume_;
  const FollowPace& pace_;
  std::uint64_t& last_version_;
  Signal work_;
  bool ended_ = false;
  std::map<std::vector<std::string>, std::shared_ptr<Followed>> followed_;  // by paths
  std::shared_ptr<Followed> reading_;
  std::unique_ptr<metadata::TrackedRedis> redis_;
  std::string said_;
};

class Follower {
 public:
  using Reading = VolumeFollower::Reading;

  Follower(FollowParts parts, VolumeMap& volumes);

  // The last reading of the paths, which are followed from now on; null: there is none yet. Valid
  // until the next suspension.
  const Reading* Follow(const std::string& volume, const std::vector<std::string>& paths);
  // What was not asked for since the last call is followed no longer.
  void DropOthers();
  void SetPollInterval(Duration interval) { pace_.poll = interval; }
  Task<void> Stop();

 private:
  const FollowParts parts_;
  VolumeMap& volumes_;
  FollowPace pace_;
  std::uint64_t last_version_ = 0;
  std::map<std::string, std::shared_ptr<VolumeFollower>> by_volume_;
  TaskGroup following_;
};

}  // namespace prewarm::controller
