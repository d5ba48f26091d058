#include "agent/commands/warm_command.h"

#include <sys/resource.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "agent/tasks/volume_checks.h"
#include "agent/warm/plan_scan.h"
#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/async/task_group.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(100);

// ru_maxrss would not do: it keeps what the parent had at the fork, across the exec.
std::uint64_t PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::uint64_t kibibytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %" SCNu64 " kB", &kibibytes) == 1) return kibibytes << 10;
  }
  return 0;
}

// What the whole process has used so far.
void AddProcessUsage(WarmReport& report) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  report.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  report.peak_memory_bytes = PeakMemory();
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

struct WarmCommand::Planned {
  juicefs::BlockPlan plan;
  Presence presence{0};
};

WarmCommand::WarmCommand(const CommandContext& context, WarmOptions options)
    : context_(context), options_(std::move(options)) {}

void WarmCommand::Stop() {
  stopped_ = true;
  stop_questions_.request_stop();
  if (engine_) engine_->Stop();
}

Task<Result<WarmReport>> WarmCommand::Run() {
  const auto begin = context_.clock.Now();
  CO_TRY(session_,
         co_await VolumeSession::Open(context_, options_.volume,
                                      options_.dry_run ? CacheUse::kRead : CacheUse::kPrepare));
  const auto& settings = session_->settings();
  if (options_.honour_volume_limit) {
    options_.engine.fetch.bytes_per_second = settings.download_limit;
  }
  engine_.emplace(context_.clock, options_.engine);
  if (stopped_) engine_->Stop();
  CO_TRY_STATUS(engine_->CheckFits(session_->codec(), settings.block_size));

  WarmReport report;
  report.volume_name = settings.name;
  report.volume_uuid = settings.uuid;
  report.store = settings.storage + " " + settings.bucket;
  CO_TRY(auto planned, co_await Plan(report));
  if (options_.dry_run) {
    report.status = WarmStatus::kPlanned;
  } else {
    CO_TRY_STATUS(CheckRoom(report.directories, report.work));
    CO_TRY_STATUS(co_await Execute(std::move(planned), report));
  }
  report.visibility =
      report.status == WarmStatus::kDone
          ? co_await session_->AskMounts(report.planned_bytes, stop_questions_.get_token())
          : session_->LookAtMounts();
  report.total_seconds = Seconds(context_.clock.Now() - begin);
  AddProcessUsage(report);
  progress_.Clear();
  co_return report;
}

Task<Result<WarmCommand::Planned>> WarmCommand::Plan(WarmReport& report) {
  CO_TRY(const auto resolved,
         co_await session_->Resolve([this](const metadata::ResolveProgress& seen) {
           progress_.Note("reading metadata: " + FormatCount(seen.files) + " files, " +
                              FormatBytes(seen.bytes),
                          context_.clock.Now());
         }));
  Planned planned;
  planned.plan = juicefs::BlockPlan(resolved.files, session_->settings().block_size);
  planned.presence = Presence(planned.plan.block_count());
  report.files = resolved.files.size();
  report.file_bytes = resolved.bytes;
  report.skipped_symlinks = resolved.skipped_symlinks;
  report.skipped_special = resolved.skipped_special;
  report.planned_blocks = planned.plan.block_count();
  report.planned_bytes = planned.plan.bytes();
  CO_TRY(report.work, co_await ScanPlan(session_->parts(), planned.plan, planned.presence));
  CO_TRY(report.directories,
         co_await Offload(context_.disk_pool, [this] { return session_->cache().Usage(); }));
  co_return planned;
}

Task<Status> WarmCommand::Execute(Planned planned, WarmReport& report) {
  if (report.work.missing_blocks > 0) CO_TRY_STATUS(co_await session_->CheckStore());
  const auto begin = context_.clock.Now();
  CO_TRY(auto outcome, co_await FetchWithProgress(planned, report));
  report.counts.Add(outcome.counts);
  if (!outcome.stale.empty() && !outcome.aborted && !outcome.stopped) {
    // Compaction or deletion was faster than we: look again, once, and fetch what is named now.
    CO_TRY(planned, co_await Plan(report));
    CO_TRY(outcome, co_await FetchWithProgress(planned, report));
    // What the first pass fetched is there now, but it was not there before.
    report.work.present_blocks -=
        std::min(report.work.present_blocks, report.counts.fetched_blocks);
    report.counts.stale_blocks = 0;
    report.counts.Add(outcome.counts);
  }
  for (const auto number : outcome.stale) {
    const auto key = juicefs::BlockKey(planned.plan.At(number), session_->settings().hash_prefix);
    ++report.counts.failed_blocks;
    ++report.counts.failed_by_reason[static_cast<std::size_t>(Reason::kNotFound)];
    if (report.errors.size() < Tally::kSamples) {
      report.errors.push_back(key + ": the metadata names it, the store does not have it");
    }
  }
  report.seconds = Seconds(context_.clock.Now() - begin);
  Conclude(report, outcome);
  co_return Status();
}

void WarmCommand::Conclude(WarmReport& report, const EngineOutcome& outcome) {
  const auto& last = outcome.counts;
  const auto ended =
      last.fetched_blocks + last.found_blocks + last.failed_blocks + last.stale_blocks;
  report.not_attempted = report.work.missing_blocks - std::min(report.work.missing_blocks, ended);
  if (outcome.aborted) report.errors.push_back("stopped early: " + outcome.aborted->message);
  for (const auto& sample : outcome.samples) {
    if (report.errors.size() < Tally::kSamples) report.errors.push_back(sample);
  }
  const bool complete = report.counts.failed_blocks == 0 && report.not_attempted == 0;
  const auto whole =
      report.work.present_blocks + report.counts.fetched_blocks + report.counts.found_blocks;
  if (complete) {
    report.status = WarmStatus::kDone;
  } else if (outcome.stopped) {
    report.status = WarmStatus::kInterrupted;
  } else {
    report.status = whole > 0 ? WarmStatus::kPartial : WarmStatus::kFailed;
  }
}

Task<Result<EngineOutcome>> WarmCommand::FetchWithProgress(const Planned& planned,
                                                           WarmReport& report) {
  WarmRun run(*engine_, {session_->parts(),
                         planned.plan,
                         planned.presence,
                         [this] { return session_->MakeStore(); },
                         options_.engine.fetch,
                         {}});
  TaskGroup showing(context_.control);
  showing.Spawn("progress", ShowProgress(run, report, planned.plan.bytes()));
  auto outcome = co_await run.Fetch();
  showing.Stop();
  co_await showing.Join();
  co_return outcome;
}

Task<void> WarmCommand::ShowProgress(WarmRun& run, const WarmReport& report,
                                     std::uint64_t total_bytes) {
  RateMeter rate;
  while (co_await SleepFor(kProgressInterval)) {
    const auto counts = run.Progress().counts;
    const auto now = context_.clock.Now();
    ProgressState state;
    state.total_bytes = total_bytes;
    state.done_bytes = report.work.present_bytes + counts.fetched_bytes;
    state.failed_blocks = counts.failed_blocks;
    state.bytes_per_second = rate.Update(counts.fetched_bytes, now);
    progress_.Show(state, now);
  }
}

}  // namespace prewarm::agent
