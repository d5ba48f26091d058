// `prewarm-agent warm`: paths of a volume into the cache directories of this node, once, without a
// controller.
#pragma once

#include <optional>
#include <stop_token>

#include "agent/commands/options.h"
#include "agent/commands/volume_session.h"
#include "agent/commands/warm_report.h"
#include "agent/warm/warm_engine.h"
#include "agent/warm/warm_run.h"
#include "common/async/task.h"
#include "common/process/progress_line.h"

namespace prewarm::agent {

class WarmCommand {
 public:
  WarmCommand(const CommandContext& context, WarmOptions options);

  // A report also of a run that went wrong half-way; an error where it could not begin.
  Task<Result<WarmReport>> Run();
  // On the control executor; Run returns within a second.
  void Stop();

 private:
  struct Planned;

  Task<Result<Planned>> Plan(WarmReport& report);
  Task<Status> Execute(Planned planned, WarmReport& report);
  Task<Result<EngineOutcome>> FetchWithProgress(const Planned& planned, WarmReport& report);
  Task<void> ShowProgress(WarmRun& run, const WarmReport& report, std::uint64_t total_bytes);
  void Conclude(WarmReport& report, const EngineOutcome& outcome);

  const CommandContext& context_;
  WarmOptions options_;
  ProgressLine progress_;
  std::unique_ptr<VolumeSession> session_;
  std::optional<WarmEngine> engine_;
  bool stopped_ = false;
  std::stop_source stop_questions_;
};

}  // namespace prewarm::agent
