#include "controller/reconcile/reconciler.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/async/deadline.h"

namespace prewarm::controller {
namespace {

// Rounds are at least this far apart, so that a thousand agents cannot keep the loop busy.
constexpr auto kPause = std::chrono::milliseconds(10);
constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kPredictionAge = std::chrono::seconds(1);
constexpr auto kRetryAfterFailure = std::chrono::seconds(2);
constexpr std::size_t kResolutionsAtOnce = 8;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Result<std::shared_ptr<const ResolvedPlan>> Share(Result<ResolvedPlan> plan) {
  if (!plan) return std::move(plan).error();
  return std::make_shared<const ResolvedPlan>(*std::move(plan));
}

}  // namespace

Reconciler::Reconciler(boost::asio::any_io_executor executor, const Clock& clock, Logger& log,
                       ReconcileMetrics& metrics, JobTable& jobs, AgentRegistry& agents,
                       VolumeMap& volumes, Options options)
    : executor_(std::move(executor)),
      clock_(clock),
      log_(log),
      metrics_(metrics),
      jobs_(jobs),
      agents_(agents),
      volumes_(volumes),
      options_(options),
      work_(executor_),
      resolving_(executor_),
      follower_({executor_, clock_, log_, metrics_, [this] { Wake(); }}, volumes_) {
  follower_.SetPollInterval(options_.follow_interval);
}

void Reconciler::Wake() {
  wanted_ = true;
  work_.Notify();
}

void Reconciler::SetOptions(Options options) {
  options_ = options;
  follower_.SetPollInterval(options_.follow_interval);
  Wake();
}

Task<void> Reconciler::Run() {
  while (!co_await Stopping()) {
    if (!wanted_) co_await work_.WaitFor(kTick);
    wanted_ = false;
    const auto begin = clock_.Now();
    co_await Round();
    metrics_.rounds.Observe(Seconds(clock_.Now() - begin));
    co_await SleepFor(kPause);
  }
  co_await follower_.Stop();
  resolving_.Stop();
  co_await resolving_.Join();
}

Task<void> Reconciler::Round() {
  TakeReports();
  Inboxes taken;
  if (auto changes = Changes(taken); !changes.empty()) {
    const auto saved = co_await jobs_.Commit(std::move(changes));
    if (!saved) {
      SaySaveFailed(saved.error());
      PutBack(std::move(taken));
      co_return;  // tried again in the next round
    }
    for (const auto* job : *saved) {
      if (!IsFinal(job->prewarm.state)) continue;
      metrics_.ended.find(StateName(job->prewarm.state))->second.Add();
      log_.Info("prewarm_ended", {{"prewarm", job->prewarm.id},
                                  {"state", StateName(job->prewarm.state)},
                                  {"reason", job->prewarm.reason}});
    }
    jobs_.ForgetEnded(options_.keep_ended);
  }
  ResolveWhatNeedsIt();
  FollowKept();
  DivideOrigin();
  Tell();
}

void Reconciler::SaySaveFailed(const Error& error) {
  metrics_.failed_saves.Add();
  log_.Error("save_failed", {{"why", error}});
}

void Reconciler::TakeReports() {
  for (auto& report : agents_.TakeReports()) {
    if (auto* job = jobs_.Find(report.task.held.prewarm)) {
      job->inbox[report.node] = std::move(report.task);
    }
  }
}

// Agents say the end of a task once: what could not be saved is not forgotten. What came in
// meanwhile is newer.
void Reconciler::PutBack(Inboxes taken) {
  for (auto& [id, inbox] : taken) {
    if (auto* job = jobs_.Find(id)) job->inbox.merge(inbox);
  }
}

std::vector<Prewarm> Reconciler::Changes(Inboxes& taken) {
  std::vector<Prewarm> changes;
  std::map<std::string, SteadyTime> away;
  const auto now = clock_.Now();
  for (const auto& [age, job] : jobs_.by_age()) {
    if (IsFinal(job->prewarm.state) || job->committing) {
      if (IsFinal(job->prewarm.state)) job->inbox.clear();
      continue;
    }
    for (const auto& [node, task] : job->prewarm.tasks) {
      const auto* known = agents_.Find(node);
      if (IsFinal(task.state) || (known != nullptr && known->connected)) continue;
      const auto since = away_since_.find(node);
      away[node] = since == away_since_.end() ? now : since->second;
    }
    Prewarm next = job->prewarm;
    const auto effect = Advance(next, *job);
    auto inbox = std::exchange(job->inbox, {});
    if (effect == Effect::kProgress) {
      job->prewarm = std::move(next);
      job->Touch();
    } else if (effect == Effect::kDurable) {
      taken.emplace(next.id, std::move(inbox));
      changes.push_back(std::move(next));
    }
  }
  away_since_ = std::move(away);
  return changes;
}

Effect Reconciler::Advance(Prewarm& prewarm, Job& job) {
  auto effect = Effect::kNone;
  for (const auto& [node, report] : job.inbox) {
    effect = std::max(effect, Absorb(prewarm, node, report));
    if (report.held.state == TaskState::kStale && report.held.generation == prewarm.generation) {
      job.stale = true;
    }
  }
  for (const auto& [node, since] : away_since_) {
    if (clock_.Now() - since < options_.agent_timeout) continue;
    effect = std::max(effect, GiveUpNode(prewarm, node));
  }
  if (prewarm.spec.workload) {
    effect = std::max(effect, FollowTargets(prewarm, job));
  } else if (prewarm.spec.keep) {
    effect = std::max(effect, AddNodes(prewarm, job));
  }
  return std::max(effect, Conclude(prewarm, clock_.WallNow()));
}

Effect Reconciler::FollowTargets(Prewarm& prewarm, const Job& job) const {
  if (job.plan == nullptr) return Effect::kNone;
  std::set<std::string> connected;
  for (const auto& target : prewarm.spec.targets) {
    const auto* node = agents_.Find(target.node);
    if (node != nullptr && node->connected) connected.insert(target.node);
  }
  return GoToTargets(prewarm, connected, *job.plan);
}

void Reconciler::GiveTargetsTasks(Prewarm& prewarm, const Job& job) const {
  FollowTargets(prewarm, job);
  Conclude(prewarm, clock_.WallNow());
}

// A kept prewarm also goes to nodes that come later.
Effect Reconciler::AddNodes(Prewarm& prewarm, const Job& job) const {
  if (job.plan == nullptr) return Effect::kNone;
  std::vector<Node> fresh;
  for (const auto& node : agents_.Nodes()) {
    if (node.connected && !prewarm.tasks.contains(node.name)) fresh.push_back(node);
  }
  if (fresh.empty()) return Effect::kNone;
  auto selector = prewarm.spec.nodes;
  if (selector.count != 0) {
    if (prewarm.tasks.size() >= selector.count) return Effect::kNone;
    selector.count -= static_cast<std::uint32_t>(prewarm.tasks.size());
  }
  const auto volume = volumes_.find(prewarm.spec.volume);
  if (volume == volumes_.end() || !volume->second->descriptor()) return Effect::kNone;
  const auto placement = Place(selector, job.plan->blocks.bytes(),
                               volume->second->descriptor()->uuid, fresh, {}, options_.limits);
  for (const auto& node : placement.nodes) {
    prewarm.tasks[node] = NewTask(node, prewarm.generation, *job.plan);
  }
  return placement.nodes.empty() ? Effect::kNone : Effect::kDurable;
}

void Reconciler::ResolveWhatNeedsIt() {
  const auto now = clock_.Now();
  for (const auto& [age, job] : jobs_.by_age()) {
    if (resolving_.running() >= kResolutionsAtOnce) return;
    const auto& prewarm = job->prewarm;
    if (IsFinal(prewarm.state) || job->resolving || job->committing) continue;
    if (job->plan != nullptr && !job->stale) continue;
    if (now - job->resolved_at < kRetryAfterFailure && job->resolved_at != SteadyTime{}) continue;
    job->resolving = true;
    resolving_.Spawn("resolve", Resolve(prewarm.id));
  }
}

Task<void> Reconciler::Resolve(std::string id) {
  auto* job = jobs_.Find(id);
  const auto at = volumes_.find(job->prewarm.spec.volume);
  Result<ResolvedPlan> plan = Fail(
      ErrorCode::kNotFound, "the configuration no longer has volume " + job->prewarm.spec.volume);
  const auto begin = clock_.Now();
  if (at != volumes_.end()) {
    const auto volume = at->second;  // kept while it is asked
    plan = co_await volume->Plan(job->prewarm.spec.paths);
  }
  metrics_.plans.Observe(Seconds(clock_.Now() - begin));
  if (!plan && !IsAboutThePath(plan.error())) metrics_.failed_plans.Add();
  co_await TakePlan(id, Share(std::move(plan)));
  job = jobs_.Find(id);
  if (job == nullptr) co_return;
  job->resolving = false;
  job->resolved_at = clock_.Now();
  Wake();
}

void Reconciler::FollowKept() {
  for (const auto& [age, job] : jobs_.by_age()) {
    const auto& prewarm = job->prewarm;
    if (!prewarm.spec.keep || IsFinal(prewarm.state)) continue;
    const auto* reading = follower_.Follow(prewarm.spec.volume, prewarm.spec.paths);
    const bool news = reading != nullptr && reading->version != job->followed;
    if (!news || job->resolving || job->stale || job->committing) continue;
    job->resolving = true;
    resolving_.Spawn("take in a reading", TakeReading(prewarm.id, *reading));
  }
  follower_.DropOthers();
}

Task<void> Reconciler::TakeReading(std::string id, Follower::Reading reading) {
  const bool taken = co_await TakePlan(id, std::move(reading.plan));
  auto* job = jobs_.Find(id);
  if (job == nullptr) co_return;
  job->resolving = false;
  if (!taken) co_return;  // again with the next tick
  job->followed = reading.version;
  Wake();
}

Task<bool> Reconciler::TakePlan(std::string id, Result<std::shared_ptr<const ResolvedPlan>> plan) {
  auto* job = jobs_.Find(id);
  // Somebody else's change is being written: what was read now is compared again soon.
  while (job != nullptr && job->committing && co_await job->changed.Wait()) job = jobs_.Find(id);
  if (job == nullptr || IsFinal(job->prewarm.state)) co_return true;
  if (job->committing) co_return false;  // stopped
  Prewarm next = job->prewarm;
  if (!plan) {
    if (!IsAboutThePath(plan.error()) || next.spec.keep) {
      job->prewarm.message = plan.error().message;
      job->Touch();
      co_return true;
    }
    End(next, PrewarmState::kFailed, "PathNotFound", plan.error().message, clock_.WallNow());
    if (const auto saved = co_await jobs_.Commit({std::move(next)}); !saved) {
      SaySaveFailed(saved.error());
      co_return false;
    }
    co_return true;
  }
  const bool same = (*plan)->Hash() == next.plan_hash && next.generation > 0;
  const bool was_stale = std::exchange(job->stale, false);
  next.message.clear();
  if (same && was_stale) {
    for (auto& [node, task] : next.tasks) {
      if (task.state != TaskState::kStale) continue;
      task.state = TaskState::kFailed;
      task.reason = "not_found";
      task.message = "the metadata names blocks that the store does not have";
    }
  } else if (!same) {
    log_.Info("plan_changed", {{"prewarm", id},
                               {"blocks", (*plan)->blocks.block_count()},
                               {"bytes", (*plan)->blocks.bytes()}});
    BeginGeneration(next, **plan, !next.spec.keep);
  }
  if (next != job->prewarm) {
    const auto saved = co_await jobs_.Commit({std::move(next)});
    if (!saved) {
      SaySaveFailed(saved.error());
      co_return false;
    }
    job = saved->front();
  }
  if (!IsFinal(job->prewarm.state)) job->plan = *std::move(plan);
  co_return true;
}

void Reconciler::Tell() {
  const auto held = agents_.Held();
  std::set<std::string> mentioned;
  for (const auto& [node, tasks] : held) {
    for (const auto& task : tasks) mentioned.insert(task.prewarm);
  }
  std::vector<Prewarm> wanted;
  for (const auto& [age, job] : jobs_.by_age()) {
    const bool ended = IsFinal(job->prewarm.state);
    if (!ended || mentioned.contains(job->prewarm.id)) wanted.push_back(job->prewarm);
  }
  const auto actions = Difference(wanted, held);
  for (const auto& cancel : actions.cancels) agents_.Send(cancel);
  for (const auto& forget : actions.forgets) agents_.Send(forget);
  for (const auto& order : actions.orders) {
    auto* job = jobs_.Find(order.prewarm);
    if (job == nullptr || job->plan == nullptr || job->stale || job->committing) continue;
    const auto volume = volumes_.find(job->prewarm.spec.volume);
    if (volume == volumes_.end() || !volume->second->descriptor()) continue;
    agents_.Send(order, *volume->second->descriptor(), job->plan.get());
    metrics_.orders.Add();
    log_.Info("task_ordered",
              {{"prewarm", order.prewarm}, {"node", order.node}, {"generation", order.generation}});
  }
  metrics_.cancels.Add(static_cast<double>(actions.cancels.size()));
}

void Reconciler::DivideOrigin() {
  std::map<std::string, NodeDemand> demands;
  for (const auto& [age, job] : jobs_.by_age()) {
    if (IsFinal(job->prewarm.state)) continue;
    for (const auto& [name, task] : job->prewarm.tasks) {
      const auto* node = agents_.Find(name);
      if (node == nullptr || !node->connected || !NeedsBytes(task.state)) continue;
      const auto rank = RankOf(job->prewarm, name);
      auto [at, fresh] = demands.try_emplace(name, NodeDemand{name, rank, 0});
      if (!fresh && GoesBefore(rank, at->second.best)) at->second.best = rank;
      at->second.usable_rate = options_.limits.node_download;
    }
  }
  std::vector<NodeDemand> list;
  list.reserve(demands.size());
  for (auto& [name, demand] : demands) list.push_back(std::move(demand));
  const auto shares = options_.limits.origin == 0 ? std::map<std::string, std::uint64_t>{}
                                                  : DivideBudget(list, options_.limits.origin);
  for (const auto& node : agents_.Nodes()) {
    if (!node.connected) continue;
    auto rate = options_.limits.node_download;
    if (const auto share = shares.find(node.name); share != shares.end()) {
      rate = rate == 0 ? share->second : std::min(rate, share->second);
    }
    agents_.SetLimits(node.name, {rate, options_.limits.node_disk_write});
  }
}

std::vector<QueuedTask> Reconciler::Queue() const {
  std::vector<QueuedTask> queue;
  for (const auto& [age, job] : jobs_.by_age()) {
    if (!IsFinal(job->prewarm.state)) AppendQueued(job->prewarm, queue);
  }
  return queue;
}

const std::map<TaskKey, double>& Reconciler::Predicted() {
  if (predicted_at_ == SteadyTime{} || clock_.Now() - predicted_at_ > kPredictionAge) {
    predicted_ = PredictFinish(agents_.Nodes(), Queue(), options_.limits);
    predicted_at_ = clock_.Now();
  }
  return predicted_;
}

}  // namespace prewarm::controller
