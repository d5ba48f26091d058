// What prewarmctl was asked, read from its words, its file and the environment. All problems are
// found before the first is told.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <cstdint>
#include <string>
#include <variant>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/cli/ctl_config.h"
#include "controller/cli/targets.h"

namespace prewarm::ctl {

enum class Output : std::uint8_t { kText, kJson, kYaml };
enum class Resource : std::uint8_t { kPrewarms, kNodes, kVolumes };

struct WarmCommand {
  v1::CreatePrewarmRequest request;
  bool wait = false;
  bool dry_run = false;
};
struct GetCommand {
  Resource resource = Resource::kPrewarms;
  std::string name;    // empty: all
  std::string volume;  // of prewarms: only of this volume
  v1::PrewarmState state = v1::PREWARM_STATE_UNSPECIFIED;
};
struct DescribeCommand {
  Resource resource = Resource::kPrewarms;
  std::string name;
};
struct WatchCommand {
  Resource resource = Resource::kPrewarms;
  std::string name;  // empty: the list
};
struct CancelCommand {
  std::string id;
};
struct FilesCommand {
  Target target;
};

struct CommandLine {
  std::string answer;  // not empty: print it and be done (help, version, completion, …)
  CtlConfig config;
  Output output = Output::kText;
  std::variant<GetCommand, WarmCommand, DescribeCommand, WatchCommand, CancelCommand, FilesCommand>
      command;
};

// kInvalidArgument or kInvalidConfig, with a line for each problem. Deadlines count from `now`.
Result<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                     const Environment& environment, WallTime now);

}  // namespace prewarm::ctl
