// One task from its order to its end: looks what is there, asks for room, fetches through the
// shared pool, and says when the node's clients see it. Lives on the control executor.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/tasks/client_inquiry.h"
#include "agent/tasks/mount_watch.h"
#include "agent/tasks/release_ledger.h"
#include "agent/tasks/task_values.h"
#include "agent/tasks/task_visibility.h"
#include "agent/tasks/volume_table.h"
#include "agent/warm/warm_engine.h"
#include "agent/warm/warm_run.h"
#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/process/log.h"
#include "common/process/progress_line.h"

namespace prewarm::agent {

// What the tasks of a node share; all of it outlives them.
struct TaskResources {
  const Clock& clock;
  boost::asio::thread_pool& disk_pool;
  WarmEngine& engine;
  VolumeTable& volumes;
  MountWatch& mounts;
  ReleaseLedger& ledger;
  Logger log;
  FetchLimits limits;               // of each run; without a rate that of the volume applies
  bool honour_volume_limit = true;  // without a rate in `limits`
  std::size_t releasing = 0;        // tasks that are taking blocks away just now
  Signal released;
};

class TaskWork {
 public:
  // `changed` is called after every change of the state, also from within the calls below.
  TaskWork(TaskResources& shared, TaskOrder order, SharedPlan plan, std::function<void()> changed);
  TaskWork(const TaskWork&) = delete;
  TaskWork& operator=(const TaskWork&) = delete;

  // Once, to its end: until every client sees the blocks, or it has failed. A stop ends it within a
  // second; the state is then kCancelled if Cancel was called before, else what it was.
  Task<void> Run();
  // The stop that follows is meant for this task alone.
  void Cancel() { cancelled_ = true; }
  // Before a stop of Run: ends what cannot be stopped otherwise.
  void Interrupt();
  // Ends what has not begun.
  void EndAsCancelled();
  void Fail(const Error& error);

  void SetRank(const RunRank& rank);
  [[nodiscard]] const RunRank& rank() const { return order_.rank; }
  [[nodiscard]] const TaskOrder& order() const { return order_; }
  // As things stand.
  [[nodiscard]] TaskReport Report();
  // To be called about once a second: the rate is that between the calls.
  void MeasureRate();

 private:
  Task<Status> Perform();
  Task<Result<PlannedWork>> LookAtCache(const WarmParts& parts, Presence& presence);
  Task<Status> Fetch(const WarmParts& parts, const Presence& presence);
  Status Judge(const EngineOutcome& outcome);
  Task<Status> Release();
  void BeginInquiry();
  void Show(TaskVisibility judged);
  Task<void> UntilVisible();
  void Enter(TaskState state);
  void End(const Status& status);

  TaskResources& shared_;
  TaskOrder order_;
  SharedPlan plan_;  // until the blocks are stored
  std::function<void()> changed_;
  TaskReport report_;
  std::shared_ptr<OpenVolume> volume_;
  Duration walk_{};  // what a client's scan of the cache may take
  std::optional<RecordingCache> recording_;
  WarmRun* run_ = nullptr;                // while it fetches
  std::optional<ClientInquiry> inquiry_;  // once everything is stored
  RateMeter rate_;
  bool cancelled_ = false;
};

}  // namespace prewarm::agent
