// What agent.yaml says about this node: its cache and how blocks may be fetched into it. Every
// key is also an option of the commands, and config/agent.yaml shows each at its default. What is
// asked of a command (volume, paths) is not here, and secrets are not: they come from files or
// the environment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/warm/warm_engine.h"
#include "common/process/config_schema.h"

namespace prewarm::agent {

// As the JuiceFS client's options of the same names.
struct CacheConfig {
  std::vector<std::string> dirs;  // as --cache-dir; may hold wildcards
  std::uint64_t size = 100ULL << 30;
  double free_space_ratio = 0.1;
  double min_free_ratio = 0.15;
  mode_t mode = 0600;
};

struct AgentConfig {
  CacheConfig cache;
  EngineOptions engine;
  bool honour_volume_limit = true;  // no download-limit given: use the volume's, if it has one
};

// The keys, bound to `config`, which must outlive the schema.
ConfigSchema AgentConfigSchema(AgentConfig& config);

}  // namespace prewarm::agent
