// Messages of the agent link and the controller's values: the only place where both are known.
#pragma once

#include <prewarm/v1/agent_link.pb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/secret.h"
#include "controller/plan/model.h"
#include "controller/plan/outcome.h"
#include "controller/plan/placement.h"

namespace prewarm::controller {

// A volume as agents are told about it.
struct VolumeDescriptor {
  std::string name;
  std::string uuid;
  std::string setting;  // JuiceFS's document, with or without secrets
  std::vector<std::string> cache_directories;
  Secret rsa_passphrase;
  std::uint64_t download_limit = 0;  // bytes per second
  bool holds_credentials = false;
  bool operator==(const VolumeDescriptor&) const = default;
};

struct NodeLimits {
  std::uint64_t origin_bytes_per_second = 0;  // 0: none
  std::uint64_t disk_write_bytes_per_second = 0;
  bool operator==(const NodeLimits&) const = default;
};

// A state that this version does not know counts as running: the agent will say more.
HeldReport FromWire(const v1::TaskReport& report);
// Name, version, labels, directories, volumes and rates; `connected` is the caller's to say.
Node FromWire(const v1::Hello& hello);
void Update(Node& node, const v1::NodeStatus& status);

v1::Volume ToWire(const VolumeDescriptor& volume);
// The order and, with a plan, the parts that follow it.
std::vector<v1::ControllerMessage> ToWire(const Order& order, const std::string& volume,
                                          const ResolvedPlan* plan);
v1::ControllerMessage ToWire(const Cancel& cancel);
v1::ControllerMessage ToWire(const Forget& forget);
v1::ControllerMessage ToWire(const NodeLimits& limits);

}  // namespace prewarm::controller
