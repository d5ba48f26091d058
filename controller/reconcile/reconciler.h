// The loop that makes the world what the accepted prewarms want: takes in what agents said, makes
// it durable, resolves what has no plan, compares, and tells the agents. Level-based: it looks at
// everything each time, so that lost or doubled events cannot hurt. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/process/log.h"
#include "controller/agents/agent_registry.h"
#include "controller/controller_config.h"
#include "controller/plan/forecast.h"
#include "controller/reconcile/follower.h"
#include "controller/reconcile/job_table.h"
#include "controller/reconcile/reconcile_metrics.h"
#include "controller/reconcile/volumes.h"

namespace prewarm::controller {

class Reconciler {
 public:
  struct Options {
    FleetLimits limits;
    Duration agent_timeout{};
    Duration follow_interval{};
    std::size_t keep_ended = 0;
  };
  Reconciler(boost::asio::any_io_executor executor, const Clock& clock, Logger& log,
             ReconcileMetrics& metrics, JobTable& jobs, AgentRegistry& agents, VolumeMap& volumes,
             Options options);

  // Until the task is stopped.
  Task<void> Run();
  // There may be something to do. Cheap; any number of calls make one round.
  void Wake();
  void SetOptions(Options options);
  [[nodiscard]] const Options& options() const { return options_; }

  // Gives a prewarm of a workload the tasks that its targets ask for, as the next round would: for
  // who writes it anyway.
  void GiveTargetsTasks(Prewarm& prewarm, const Job& job) const;
  // Unfinished tasks, as the forecast wants them.
  [[nodiscard]] std::vector<QueuedTask> Queue() const;
  // Seconds until each is done; at most a second old.
  const std::map<TaskKey, double>& Predicted();

 private:
  Task<void> Round();
  void TakeReports();
  // By prewarm and node: what agents said.
  using Inboxes = std::map<std::string, std::map<std::string, HeldReport>>;
  // The prewarms that have to be saved because of what is known now; `taken`: what agents said that
  // is part of it.
  std::vector<Prewarm> Changes(Inboxes& taken);
  void PutBack(Inboxes taken);
  void SaySaveFailed(const Error& error);
  Effect Advance(Prewarm& prewarm, Job& job);
  Effect AddNodes(Prewarm& prewarm, const Job& job) const;
  Effect FollowTargets(Prewarm& prewarm, const Job& job) const;
  void ResolveWhatNeedsIt();
  Task<void> Resolve(std::string id);
  void FollowKept();
  Task<void> TakeReading(std::string id, Follower::Reading reading);
  // False: not taken in, because it could not be made durable; worth another try.
  Task<bool> TakePlan(std::string id, Result<std::shared_ptr<const ResolvedPlan>> plan);
  void Tell();
  void DivideOrigin();

  boost::asio::any_io_executor executor_;
  const Clock& clock_;
  Logger& log_;
  ReconcileMetrics& metrics_;
  JobTable& jobs_;
  AgentRegistry& agents_;
  VolumeMap& volumes_;
  Options options_;
  Signal work_;
  bool wanted_ = true;
  TaskGroup resolving_;
  Follower follower_;
  std::map<std::string, SteadyTime> away_since_;  // of nodes with unfinished tasks
  std::map<TaskKey, double> predicted_;
  SteadyTime predicted_at_{};
};

}  // namespace prewarm::controller
