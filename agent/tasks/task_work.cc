#include "agent/tasks/task_work.h"

#include <algorithm>
#include <utility>

#include "agent/tasks/volume_checks.h"
#include "agent/warm/plan_scan.h"
#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t kLongestMessage = 600;  // thousands of reports must fit into one message

// Names of a client's cache are read faster than this in any case that we have seen.
Duration WalkOf(std::uint64_t cached_blocks) {
  return std::chrono::seconds(5) + cached_blocks * std::chrono::microseconds(20);
}

std::string ReasonOf(const Error& error) {
  return std::string(error.reason == Reason::kUnspecified ? CodeName(error.code)
                                                          : ReasonName(error.reason));
}

Error Stopped() { return prewarm::Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled); }

// Of the blocks that failed, what most of them failed of.
Reason MainReason(const Tally::Counts& counts) {
  const auto most = std::ranges::max_element(counts.failed_by_reason);
  return static_cast<Reason>(most - counts.failed_by_reason.begin());
}

// What is left of `published` once the blocks that no plan needs are gone from the cache.
Result<std::vector<PublishedBlock>> RemoveUnneeded(BlockCache& cache,
                                                   const ReleaseLedger::Inquiry& inquiry) {
  const BlockSet needed(inquiry.needed);
  std::vector<PublishedBlock> kept;
  for (const auto& published : inquiry.published) {
    if (needed.Has(published.block)) {
      kept.push_back(published);
    } else {
      TRY_STATUS(cache.Remove(published.block, published.inode));
    }
  }
  return kept;
}

}  // namespace

TaskWork::TaskWork(TaskResources& shared, TaskOrder order, SharedPlan plan,
                   std::function<void()> changed)
    : shared_(shared),
      order_(std::move(order)),
      plan_(std::move(plan)),
      changed_(std::move(changed)) {
  report_.id = order_.id;
  if (plan_ == nullptr) return;
  report_.planned_blocks = plan_->block_count();
  report_.planned_bytes = plan_->bytes();
}

Task<void> TaskWork::Run() {
  const auto status = co_await Perform();
  End(status);
  if (report_.state == TaskState::kStored) {
    co_await UntilVisible();
    if (report_.state == TaskState::kStored && cancelled_) EndAsCancelled();
  }
}

Task<Status> TaskWork::Perform() {
  CO_TRY(volume_, co_await shared_.volumes.Get(order_.volume));
  shared_.ledger.SetNeeds(order_.id.prewarm, volume_->settings().uuid, plan_);
  // What is being taken away must not be counted as present.
  while (shared_.releasing > 0) {
    if (!co_await shared_.released.Wait()) co_return Stopped();
  }
  recording_.emplace(volume_->cache(), shared_.clock);
  const WarmParts parts{shared_.clock,
                        *recording_,
                        volume_->codec(),
                        shared_.disk_pool,
                        volume_->settings().name,
                        volume_->settings().hash_prefix};
  Presence presence(plan_->block_count());
  CO_TRY(const auto work, co_await LookAtCache(parts, presence));
  if (work.missing_blocks > 0) {
    CO_TRY(auto store, volume_->MakeStore(shared_.disk_pool, shared_.clock));
    CO_TRY_STATUS(co_await CheckStoreOwner(*store, volume_->settings(), volume_->codec()));
  }
  const auto fetched = co_await Fetch(parts, presence);
  shared_.ledger.AddPublished(order_.id.prewarm, recording_->Take());
  CO_TRY_STATUS(fetched);
  plan_.reset();  // the ledger has it for as long as it is worth its memory
  BeginInquiry();
  co_await inquiry_->Look();
  Show(inquiry_->Judge());
  co_return co_await Release();
}

Task<Result<PlannedWork>> TaskWork::LookAtCache(const WarmParts& parts, Presence& presence) {
  CO_TRY(auto work, co_await ScanPlan(parts, *plan_, presence));
  if (co_await Stopping()) co_return Stopped();
  report_.present_blocks = work.present_blocks;
  report_.present_bytes = work.present_bytes;
  auto usage = co_await Offload(shared_.disk_pool, [&parts] { return parts.cache.Usage(); });
  if (!usage) co_return std::move(usage).error();
  std::uint64_t blocks = 0;
  for (const auto& directory : *usage) blocks += directory.cached_blocks;
  walk_ = WalkOf(blocks + work.missing_blocks);
  CO_TRY_STATUS(CheckRoom(*usage, work));
  if (co_await Stopping()) co_return Stopped();
  co_return work;
}

Task<Status> TaskWork::Fetch(const WarmParts& parts, const Presence& presence) {
  FetchLimits limits = shared_.limits;
  if (shared_.honour_volume_limit) limits.bytes_per_second = volume_->download_limit();
  const MakeStore make_store = [this] {
    return volume_->MakeStore(shared_.disk_pool, shared_.clock);
  };
  WarmRun run(shared_.engine, {parts, *plan_, presence, make_store, limits, order_.rank});
  run_ = &run;
  Enter(TaskState::kRunning);
  auto outcome = co_await run.Fetch();
  run_ = nullptr;
  if (!outcome) co_return std::move(outcome).error();
  report_.counts = outcome->counts;
  // Whoever stored them: they were not to be fetched.
  report_.present_blocks += std::exchange(report_.counts.found_blocks, 0);
  report_.first_byte_at = recording_->first_at();
  co_return Judge(*outcome);
}

Status TaskWork::Judge(const EngineOutcome& outcome) {
  const auto& counts = outcome.counts;
  if (outcome.stopped) return Stopped();
  if (outcome.aborted) {
    // Whatever it is now, it is not the directory that was opened.
    if (outcome.aborted->reason == Reason::kCacheDirectoryGone) {
      shared_.volumes.Close(order_.volume);
    }
    return *outcome.aborted;
  }
  if (counts.failed_blocks > 0) {
    auto message = FormatCount(counts.failed_blocks) + " blocks failed";
    if (!outcome.samples.empty()) message += ", one of them: " + outcome.samples.front();
    return prewarm::Fail(ErrorCode::kUnavailable, std::move(message), MainReason(counts));
  }
  if (outcome.stale.empty()) {
    report_.present_bytes = report_.planned_bytes - counts.fetched_bytes;
    return {};
  }
  Enter(TaskState::kStale);
  return prewarm::Fail(ErrorCode::kNotFound,
                       "the store does not have " + FormatCount(outcome.stale.size()) +
                           " blocks of the plan: the metadata has changed",
                       Reason::kNotFound);
}

Task<Status> TaskWork::Release() {
  const auto inquiry = shared_.ledger.Take(order_.id.prewarm);
  if (inquiry.published.empty()) co_return Status();
  ++shared_.releasing;
  auto kept = co_await Offload(
      shared_.disk_pool, [this, &inquiry] { return RemoveUnneeded(volume_->cache(), inquiry); });
  if (--shared_.releasing == 0) shared_.released.Notify();
  if (!kept) {
    shared_.log.Warn("release_failed", {{"task", order_.id.prewarm}, {"why", kept.error()}});
    co_return Status();
  }
  if (const auto gone = inquiry.published.size() - kept->size(); gone > 0) {
    shared_.log.Info("released", {{"task", order_.id.prewarm}, {"blocks", gone}});
  }
  shared_.ledger.AddPublished(order_.id.prewarm, *kept);
  co_return Status();
}

void TaskWork::BeginInquiry() {
  const StoredTask stored{
      .blocks = {volume_->settings().uuid, volume_->settings().name, volume_->directories()},
      .stored_at = shared_.clock.WallNow(),
      .walk = walk_,
      .was_there = report_.counts.fetched_blocks == 0};
  inquiry_.emplace(shared_.clock, shared_.mounts, stored,
                   PlannedData{order_.paths, report_.planned_bytes});
}

void TaskWork::Show(TaskVisibility judged) {
  judged.words.resize(std::min(judged.words.size(), kLongestMessage));
  const bool same = report_.state == judged.state && report_.visible_at == judged.at &&
                    report_.visibility == judged.words;
  report_.visible_at = judged.at;
  report_.visibility = std::move(judged.words);
  if (!same) Enter(judged.state);
}

Task<void> TaskWork::UntilVisible() {
  while (true) {
    while (co_await inquiry_->AskNext()) Show(inquiry_->Judge());
    if (co_await Stopping()) co_return;
    Show(inquiry_->Judge());
    if (report_.state == TaskState::kVisible) break;
    if (!co_await SleepFor(inquiry_->Pause())) co_return;
    co_await inquiry_->Look();
  }
  shared_.log.Info("task_visible",
                   {{"task", order_.id.prewarm}, {"generation", order_.id.generation}});
}

void TaskWork::Enter(TaskState state) {
  report_.state = state;
  changed_();
}

void TaskWork::End(const Status& status) {
  report_.bytes_per_second = 0;
  if (!status && status.error().code == ErrorCode::kCancelled) {
    if (cancelled_) EndAsCancelled();
    return;
  }
  if (!status) {
    report_.reason = ReasonOf(status.error());
    report_.message = status.error().message.substr(0, kLongestMessage);
    Enter(report_.state == TaskState::kStale ? TaskState::kStale : TaskState::kFailed);
  }
  const LogFields fields = {{"task", order_.id.prewarm},
                            {"generation", order_.id.generation},
                            {"volume", order_.volume},
                            {"state", StateName(report_.state)},
                            {"fetched_bytes", report_.counts.fetched_bytes},
                            {"present_bytes", report_.present_bytes},
                            {"why", status ? std::string_view() : report_.message}};
  shared_.log.Log(status ? LogLevel::kInfo : LogLevel::kWarn, "task_ended", fields);
}

void TaskWork::Interrupt() {
  if (recording_ && run_ == nullptr) recording_->Interrupt();
  if (inquiry_) inquiry_->Stop();
}

void TaskWork::EndAsCancelled() {
  report_.message = "called off";
  report_.visible_at.reset();
  Enter(TaskState::kCancelled);
}

void TaskWork::Fail(const Error& error) { End(error); }

void TaskWork::SetRank(const RunRank& rank) {
  order_.rank = rank;
  if (run_ != nullptr) run_->SetRank(rank);
}

TaskReport TaskWork::Report() {
  if (run_ == nullptr) return report_;
  TaskReport report = report_;
  report.counts = run_->Progress().counts;
  report.first_byte_at = recording_->first_at();
  report.present_blocks += report.counts.found_blocks;
  const auto found = report.counts.found_blocks * plan_->block_size();
  report.present_bytes += std::min(
      found, report.planned_bytes - std::min(report.planned_bytes,
                                             report.present_bytes + report.counts.fetched_bytes));
  return report;
}

void TaskWork::MeasureRate() {
  if (run_ == nullptr) return;
  report_.bytes_per_second = static_cast<std::uint64_t>(
      rate_.Update(run_->Progress().counts.fetched_bytes, shared_.clock.Now()));
}

}  // namespace prewarm::agent
