#include "agent/agent.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <functional>
#include <string>

#include "agent/commands/options.h"
#include "agent/commands/probe_command.h"
#include "agent/commands/verify_command.h"
#include "agent/commands/warm_command.h"
#include "agent/daemon.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/process/stop_signals.h"

namespace prewarm::agent {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitWrongUse = 2;
constexpr std::size_t kDiskThreads = 4;

int ReportError(const Error& error) {
  std::fprintf(stderr, "prewarm-agent: %s\n", error.message.c_str());
  const bool wrong_use =
      error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kInvalidConfig;
  return wrong_use ? kExitWrongUse : kExitFailed;
}

template <class Report>
int Answer(const Report& report, Output output) {
  const std::string text =
      output == Output::kJson ? boost::json::serialize(ToJson(report)) + "\n" : ToText(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return report.ExitCode();
}

// Runs one command to its end on this thread's event loop; a signal asks it to stop.
template <class Command, class Options>
int RunCommand(const Options& options) {
  const SystemClock clock;
  boost::asio::io_context loop(1);
  boost::asio::thread_pool disk_pool(kDiskThreads);
  const CommandContext context{clock, loop.get_executor(), disk_pool};
  Command command(context, options);
  TaskGroup group(loop.get_executor());
  int exit_code = kExitFailed;
  StopSignals signals(loop.get_executor(), [&] {
    command.Stop();
    group.Stop();
  });
  const auto body = [](Command& the_command, const Options& the_options, StopSignals& the_signals,
                       int& code) -> Task<void> {
    auto report = co_await the_command.Run();
    code = report ? Answer(*report, the_options.output) : ReportError(report.error());
    the_signals.Ignore();
  };
  group.Spawn("command", body(command, options, signals, exit_code));
  loop.run();
  disk_pool.join();
  return exit_code;
}

}  // namespace

int RunAgent(int argc, const char* const* argv) {
  const auto line = ParseCommandLine(argc, argv);
  if (!line) return ReportError(line.error());
  if (line->serve) return RunDaemon(*line->serve);
  if (line->warm) return RunCommand<WarmCommand>(*line->warm);
  if (line->verify) return RunCommand<VerifyCommand>(*line->verify);
  if (line->probe) return RunCommand<ProbeCommand>(*line->probe);
  std::fputs(line->answer.c_str(), stdout);
  return 0;
}

}  // namespace prewarm::agent
