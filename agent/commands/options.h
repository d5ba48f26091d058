// The command line, as values. Names and meanings are the JuiceFS client's
// where it has the option.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent_config.h"
#include "agent/warm/warm_engine.h"
#include "common/base/result.h"

namespace prewarm::agent {

// Which volume, from where, into which cache. With --mount everything but --meta and the paths
// comes from the live mount.
struct VolumeOptions {
  std::string meta;
  std::string mount;
  CacheConfig cache;
  std::string storage;  // overrides the volume's setting, as for `juicefs mount`
  std::string bucket;
  std::string subdir;
  std::vector<std::string> paths;  // empty: the whole volume
};

enum class Output : std::uint8_t { kText, kJson };

struct WarmOptions {
  VolumeOptions volume;
  EngineOptions engine;
  bool honour_volume_limit = true;  // no --download-limit given: use the volume's, if it has one
  bool dry_run = false;
  Output output = Output::kText;
};

struct VerifyOptions {
  VolumeOptions volume;
  EngineOptions engine;
  bool against_store = false;
  Output output = Output::kText;
};

struct ProbeOptions {
  VolumeOptions
      volume;  // with `meta` or `mount` and a store that can be read, the link is measured
  Output output = Output::kText;
};

// The daemon. `read_again` gives the same command line with its file as it is then.
struct ServeOptions {
  AgentConfig config;
  std::function<Result<AgentConfig>()> read_again;
};

// What to run; exactly one is set, or none where there is only
// something to answer.
struct CommandLine {
  std::optional<ServeOptions> serve;
  std::optional<WarmOptions> warm;
  std::optional<VerifyOptions> verify;
  std::optional<ProbeOptions> probe;
  std::string answer;  // text for stdout: help, version, the checked or printed configuration
};

// kInvalidArgument with all problems of command line and configuration file, one a line; an unknown
// option or command comes with the nearest known one.
Result<CommandLine> ParseCommandLine(int argc, const char* const* argv);

}  // namespace prewarm::agent
