// What agent.yaml says about this node: its cache and how blocks may be fetched into it. Every
// key is also an option of the commands, and config/agent.yaml shows each at its default. What is
// asked of a command (volume, paths) is not here, and secrets are not: they come from files or
// the environment.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
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

// Of the daemon: where the controller is and how both prove who they are.
struct ControllerAddress {
  std::vector<std::string> addresses;  // host:port, tried in turn; none: run without
  std::string ca_file;                 // signs the controller's certificate
  std::string certificate_file;        // of this node
  std::string key_file;
  std::string token_file;          // proves this node, too; in a cluster
  std::string server_name;         // in the controller's certificate; empty: the address's host
  bool insecure_loopback = false;  // no TLS, loopback addresses only
  bool operator==(const ControllerAddress&) const = default;
};

// Of the daemon: who this node is.
struct NodeConfig {
  std::string name;  // empty: the host name
  std::map<std::string, std::string> labels;
  bool measure_disks = true;
};

// Of the daemon, until a controller says otherwise. Bytes per second; 0: none.
struct LimitsConfig {
  std::uint64_t download = 0;
  std::uint64_t disk_write = 0;
};

struct AgentConfig {
  CacheConfig cache;
  EngineOptions engine;
  bool honour_volume_limit = true;  // no download-limit given: use the volume's, if it has one
  ControllerAddress controller;
  NodeConfig node;
  LimitsConfig limits;
  std::string admin_listen = "127.0.0.1:9470";
  std::string log_level = "info";
  std::string log_format = "text";
};

// The keys, bound to `config`, which must outlive the schema.
ConfigSchema AgentConfigSchema(AgentConfig& config);

// What no single key can tell, for the daemon: TLS or loopback, both or neither of a pair.
void ValidateServeConfig(const AgentConfig& config, Problems& problems);

}  // namespace prewarm::agent
