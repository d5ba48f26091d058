#include "controller/cli/prewarmctl.h"

#include <cstdio>
#include <string>
#include <variant>

#include "common/base/clock.h"
#include "controller/cli/command_line.h"
#include "controller/cli/commands.h"
#include "controller/cli/connection.h"
#include "controller/cli/display_width.h"
#include "controller/cli/outcome.h"

namespace prewarm::ctl {
namespace {

// One line, or a line for each of several wrong fields. Words of the other side stay words.
int Report(const Error& error) {
  const char* begin = "prewarmctl: ";
  for (std::size_t at = 0; at <= error.message.size();) {
    const auto end = std::min(error.message.find('\n', at), error.message.size());
    const auto line = Printable(std::string_view(error.message).substr(at, end - at));
    std::fprintf(stderr, "%s%s\n", begin, line.c_str());
    begin = "  ";
    at = end + 1;
  }
  return ExitCodeOf(error);
}

int Run(const CommandLine& line, const Clock& clock) {
  auto connection = Connection::Open(line.config, clock);
  if (!connection) return Report(connection.error());
  Commands commands(*connection, clock, line.output);
  const auto code =
      std::visit([&](const auto& command) { return commands.Run(command); }, line.command);
  return code ? *code : Report(code.error());
}

}  // namespace

int RunPrewarmctl(int argc, const char* const* argv) {
  const SystemClock clock;
  const auto line = ParseCommandLine(argc, argv, ProcessEnvironment(), clock.WallNow());
  if (!line) return Report(line.error());
  if (line->answer.empty()) return Run(*line, clock);
  std::fputs(line->answer.c_str(), stdout);
  return kExitDone;
}

}  // namespace prewarm::ctl
