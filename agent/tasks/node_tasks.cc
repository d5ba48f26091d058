#include "agent/tasks/node_tasks.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/async/deadline.h"

namespace prewarm::agent {
namespace {

// Each working task holds a bitmap, its store clients and its connections; the pool is busy with
// far fewer. One that ranks before all that work need not wait for a place until there are kMost.
constexpr std::size_t kUsuallyWorking = 16;
constexpr std::size_t kMostWorking = 64;
constexpr Duration kMeasureInterval = std::chrono::seconds(1);
constexpr std::size_t kMeasured = 10;  // intervals

void Add(TaskTotals& totals, const TaskReport& report) {
  totals.counts.Add(report.counts);
  totals.present_blocks += report.present_blocks;
  totals.present_bytes += report.present_bytes;
  if (IsFinal(report.state)) ++totals.ended[static_cast<std::size_t>(report.state)];
}

}  // namespace

struct NodeTasks::Held {
  Held(NodeTasks& tasks, TaskOrder order, SharedPlan plan)
      : work(tasks.shared_, std::move(order), std::move(plan),
             [this, &tasks] { tasks.NoteChange(*this); }),
        group(tasks.context_.executor) {}

  void Stop() {
    work.Interrupt();
    group.Stop();
  }

  TaskWork work;
  TaskGroup group;  // of the one coroutine that does the work
  std::uint64_t changed_at = 0;
  bool left = false;  // not held any more: changes are nobody's business
};

NodeTasks::NodeTasks(Context context)
    : context_(std::move(context)),
      volumes_(context_.executor, context_.disk_pool, context_.cache, context_.environment),
      shared_{context_.clock,
              context_.disk_pool,
              context_.engine,
              volumes_,
              context_.mounts,
              ledger_,
              context_.log,
              context_.limits,
              context_.honour_volume_limit,
              0,
              Signal(context_.executor)},
      turn_(context_.executor),
      lives_(context_.executor),
      measuring_(context_.executor) {
  measuring_.Spawn("measure rates", MeasureRates());
}

NodeTasks::~NodeTasks() = default;

NodeTasks::HeldTask NodeTasks::Find(const std::string& prewarm) const {
  const auto at = held_.find(prewarm);
  return at == held_.end() ? nullptr : at->second;
}

void NodeTasks::Order(TaskOrder order, SharedPlan plan) {
  if (draining_) return;
  if (const auto held = Find(order.id.prewarm)) {
    const auto report = held->work.Report();
    if (report.id.generation > order.id.generation) return;
    const bool given_back = report.state == TaskState::kCancelled;
    if (report.id.generation == order.id.generation && !given_back) return SetRank(order);
    Drop(order.id.prewarm);
  }
  context_.log.Info("task_accepted", {{"task", order.id.prewarm},
                                      {"generation", order.id.generation},
                                      {"volume", order.volume},
                                      {"blocks", plan->block_count()},
                                      {"bytes", plan->bytes()}});
  const auto held = Keep(std::move(order), std::move(plan));
  NoteChange(*held);
  waiting_.push_back(held);
  lives_.Spawn("task", Live(held));
}

void NodeTasks::Refuse(TaskOrder order, const Error& why) {
  if (draining_) return;
  const auto held = Find(order.id.prewarm);
  if (held != nullptr) {
    if (held->work.order().id.generation > order.id.generation) return;
    Drop(order.id.prewarm);
  }
  Keep(std::move(order), nullptr)->work.Fail(why);
}

NodeTasks::HeldTask NodeTasks::Keep(TaskOrder order, SharedPlan plan) {
  const auto prewarm = order.id.prewarm;
  auto held = std::make_shared<Held>(*this, std::move(order), std::move(plan));
  held_[prewarm] = held;
  BoundFinished();
  return held;
}

void NodeTasks::Drop(const std::string& prewarm) {
  const auto held = Find(prewarm);
  if (held == nullptr) return;
  held->left = true;
  if (!IsFinal(held->work.Report().state)) {
    held->work.Cancel();
    held->Stop();
    std::erase(waiting_, held);
    turn_.Notify();
  }
  Add(gone_, held->work.Report());
  held_.erase(prewarm);
}

void NodeTasks::NoteChange(Held& held) {
  if (held.left) return;
  held.changed_at = ++version_;
  changed_();
}

void NodeTasks::BoundFinished() {
  if (held_.size() <= kMostFinished) return;
  const HeldTask* oldest = nullptr;
  for (const auto& [prewarm, held] : held_) {
    if (!IsFinal(held->work.Report().state)) continue;
    if (oldest == nullptr || held->changed_at < (*oldest)->changed_at) oldest = &held;
  }
  if (oldest != nullptr) Drop(std::string((*oldest)->work.order().id.prewarm));
}

void NodeTasks::SetRank(const TaskOrder& order) {
  const auto held = Find(order.id.prewarm);
  if (held == nullptr || held->work.order().id.generation < order.id.generation) {
    if (draining_) return;
    Drop(order.id.prewarm);
    return Keep(order, nullptr)->work.EndAsCancelled();
  }
  if (held->work.order().id.generation > order.id.generation) return;
  held->work.SetRank(order.rank);
  turn_.Notify();
  NoteChange(*held);
}

void NodeTasks::Cancel(const TaskId& id) {
  const auto held = Find(id.prewarm);
  if (held == nullptr) return Keep({id, "", {}}, nullptr)->work.EndAsCancelled();
  if (held->work.order().id.generation > id.generation) return;
  if (IsFinal(held->work.Report().state)) return NoteChange(*held);
  held->work.Cancel();
  held->Stop();
  if (std::erase(waiting_, held) > 0) {
    held->work.EndAsCancelled();
    turn_.Notify();
  }
}

void NodeTasks::Forget(const TaskId& id) {
  const auto held = Find(id.prewarm);
  if (held == nullptr || held->work.order().id.generation > id.generation) return;
  ledger_.LetGo(id.prewarm);
  Drop(id.prewarm);
}

void NodeTasks::SetLimits(const NodeLimits& limits) {
  if (limits == limits_) return;
  limits_ = limits;
  context_.engine.SetBandwidth(limits.origin);
  context_.engine.SetDiskWriteLimit(limits.disk_write);
}

bool NodeTasks::MayBegin(const Held& held) const {
  const auto before_me = [&](const HeldTask& other) {
    return Before(other->work.rank(), held.work.rank());
  };
  if (working_.size() >= kMostWorking || std::ranges::any_of(waiting_, before_me)) return false;
  if (working_.size() < kUsuallyWorking) return true;
  return std::ranges::all_of(working_, [&](const HeldTask& other) {
    return Before(held.work.rank(), other->work.rank());
  });
}

Task<void> NodeTasks::Live(HeldTask held) {
  held->group.Spawn("task work", Begin(*this, held));
  co_await held->group.Join();
  std::erase(waiting_, held);
  std::erase(working_, held);
  turn_.Notify();
}

Task<void> NodeTasks::Begin(NodeTasks& tasks, HeldTask held) {
  while (!tasks.MayBegin(*held)) {
    if (!co_await tasks.turn_.Wait()) co_return;
  }
  std::erase(tasks.waiting_, held);
  tasks.working_.push_back(held);
  tasks.turn_.Notify();
  co_await held->work.Run();
}

std::vector<TaskReport> NodeTasks::Reports() {
  std::vector<TaskReport> reports;
  reports.reserve(held_.size());
  for (const auto& [prewarm, held] : held_) reports.push_back(held->work.Report());
  return reports;
}

std::vector<TaskReport> NodeTasks::ReportsSince(std::uint64_t& version, bool and_running) {
  std::vector<TaskReport> reports;
  for (const auto& [prewarm, held] : held_) {
    const bool changed = held->changed_at > version;
    if (!changed && !and_running) continue;
    auto report = held->work.Report();
    if (changed || report.state == TaskState::kRunning) reports.push_back(std::move(report));
  }
  version = version_;
  return reports;
}

TaskTotals NodeTasks::Totals() {
  TaskTotals totals = gone_;
  totals.held = {};
  for (const auto& [prewarm, held] : held_) {
    const auto report = held->work.Report();
    Add(totals, report);
    ++totals.held[static_cast<std::size_t>(report.state)];
  }
  return totals;
}

Task<void> NodeTasks::MeasureRates() {
  while (co_await SleepFor(kMeasureInterval)) {
    for (const auto& held : working_) held->work.MeasureRate();
    MeasureOrigin();
  }
}

void NodeTasks::MeasureOrigin() {
  const auto received = Totals().counts.wire_bytes;
  const auto fresh = received - std::min(received, received_);
  received_ = received;
  recent_bytes_.push_back(fresh);
  recent_active_.push_back(fresh > 0);
  if (recent_bytes_.size() > kMeasured) {
    recent_bytes_.erase(recent_bytes_.begin());
    recent_active_.erase(recent_active_.begin());
  }
  const auto sum_of_last = [&](std::size_t count) {
    count = std::min(count, recent_bytes_.size());
    return std::accumulate(recent_bytes_.end() - static_cast<std::ptrdiff_t>(count),
                           recent_bytes_.end(), std::uint64_t{0});
  };
  origin_rate_ = sum_of_last(3) / std::min<std::size_t>(3, recent_bytes_.size());
  // Seconds in which nothing was asked for say nothing about the store.
  const auto active = static_cast<std::uint64_t>(std::ranges::count(recent_active_, true));
  if (active > 0) best_rate_ = std::max(best_rate_, sum_of_last(kMeasured) / active);
}

Task<void> NodeTasks::Drain() {
  draining_ = true;
  changed_();
  for (const auto& [prewarm, held] : held_) held->Stop();
  measuring_.Stop();
  co_await lives_.Join();
  co_await measuring_.Join();
}

}  // namespace prewarm::agent
