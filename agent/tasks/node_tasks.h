// The tasks of this node: takes orders, runs several at a time by rank, knows what to report. Knows
// nothing of the wire, and does not notice whether a controller is there: what was accepted is
// finished, and reports are kept until somebody takes responsibility for them. Lives on the control
// executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent_config.h"
#include "agent/tasks/mount_watch.h"
#include "agent/tasks/release_ledger.h"
#include "agent/tasks/task_values.h"
#include "agent/tasks/task_work.h"
#include "agent/tasks/volume_table.h"
#include "agent/warm/warm_engine.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/process/log.h"

namespace prewarm::agent {

// What tasks have done since the process started, those that are long gone included.
struct TaskTotals {
  Tally::Counts counts;
  std::uint64_t present_blocks = 0;
  std::uint64_t present_bytes = 0;
  std::array<std::uint64_t, kTaskStates> ended{};  // by state, final ones
  std::array<std::size_t, kTaskStates> held{};     // by state, now
};

class NodeTasks {
 public:
  struct Context {
    boost::asio::any_io_executor executor;
    const Clock& clock;
    boost::asio::thread_pool& disk_pool;
    WarmEngine& engine;
    MountWatch& mounts;
    Logger log;
    CacheConfig cache;
    FetchLimits limits;
    bool honour_volume_limit = true;
    Environment environment;
  };
  // Finished tasks that nobody has taken note of; the oldest go first when there are more.
  static constexpr std::size_t kMostFinished = 2000;

  explicit NodeTasks(Context context);
  ~NodeTasks();  // after Drain

  // Called after every change of a task's state; must only make a note.
  void OnChange(std::function<void()> changed) { changed_ = std::move(changed); }

  void Describe(VolumeDescriptor descriptor) { volumes_.Describe(std::move(descriptor)); }
  // Replaces what is held of the prewarm in an older generation; repeats of what is held only set
  // the rank. Ignored while draining and if a newer generation is held.
  void Order(TaskOrder order, SharedPlan plan);
  // An order that cannot be followed: a report says why.
  void Refuse(TaskOrder order, const Error& why);
  // A task that is not held is reported as cancelled: it will be ordered anew, with its plan.
  void SetRank(const TaskOrder& order);
  void Cancel(const TaskId& id);
  void Forget(const TaskId& id);
  // In force from now on, over all tasks.
  void SetLimits(const NodeLimits& limits);

  // Everything that is held, finished or not.
  [[nodiscard]] std::vector<TaskReport> Reports();
  // Those whose state has changed after `version`, which is moved on; and what runs, if asked for.
  [[nodiscard]] std::vector<TaskReport> ReportsSince(std::uint64_t& version, bool and_running);
  [[nodiscard]] std::uint64_t version() const { return version_; }

  [[nodiscard]] TaskTotals Totals();
  [[nodiscard]] const NodeLimits& limits() const { return limits_; }
  [[nodiscard]] std::uint64_t origin_bytes_per_second() const { return origin_rate_; }
  [[nodiscard]] std::uint64_t best_store_rate() const { return best_rate_; }
  [[nodiscard]] std::vector<std::string> Directories() const { return volumes_.Directories(); }
  [[nodiscard]] bool draining() const { return draining_; }

  // Takes nothing more and stops what runs, within a second or two; returns when nothing does.
  Task<void> Drain();

 private:
  struct Held;
  using HeldTask = std::shared_ptr<Held>;

  HeldTask Find(const std::string& prewarm) const;
  HeldTask Keep(TaskOrder order, SharedPlan plan);
  void Drop(const std::string& prewarm);
  void NoteChange(Held& held);
  void BoundFinished();
  Task<void> Live(HeldTask held);
  static Task<void> Begin(NodeTasks& tasks, HeldTask held);
  // Whether it is this waiting task's turn.
  [[nodiscard]] bool MayBegin(const Held& held) const;
  Task<void> MeasureRates();
  void MeasureOrigin();

  const Context context_;
  VolumeTable volumes_;
  ReleaseLedger ledger_;
  TaskResources shared_;
  std::function<void()> changed_ = [] {};
  std::map<std::string, HeldTask> held_;  // by prewarm
  std::vector<HeldTask> waiting_;         // for their turn
  std::vector<HeldTask> working_;
  Signal turn_;
  std::uint64_t version_ = 0;
  TaskTotals gone_;  // of tasks that are not held any more
  NodeLimits limits_;
  std::vector<std::uint64_t> recent_bytes_;  // received in each of the last seconds
  std::vector<bool> recent_active_;
  std::uint64_t received_ = 0;
  std::uint64_t origin_rate_ = 0;
  std::uint64_t best_rate_ = 0;
  bool draining_ = false;
  TaskGroup lives_;
  TaskGroup measuring_;
};

}  // namespace prewarm::agent
