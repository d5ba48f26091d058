// The Kubernetes objects that say where and when models are needed, reduced to what decides that.
// There may be 50,000 pods: nothing is kept that nobody asks for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "controller/demand/labels.h"
#include "controller/demand/quantity.h"

namespace prewarm::controller::demand {

inline constexpr std::string_view kGpuResource = "nvidia.com/gpu";

// Amounts of resources in the scheduler's units.
struct Resources {
  std::int64_t cpu_milli = 0;
  std::int64_t memory = 0;
  std::int64_t ephemeral_storage = 0;
  std::int64_t pods = 0;                                       // only a node has that
  std::vector<std::pair<std::string, std::int64_t>> extended;  // sorted by name
  bool operator==(const Resources&) const = default;

  void Set(std::string_view name, const Quantity& amount);
  // 0 where it is not named.
  [[nodiscard]] std::int64_t Extended(std::string_view name) const;
  [[nodiscard]] bool NamesExtended(std::string_view name) const;
  void Add(const Resources& other);  // stops at the largest number
  void RaiseTo(const Resources& other);
};

// The object that controls another one.
struct Owner {
  std::string kind;
  std::string name;
  std::string uid;
  bool operator==(const Owner&) const = default;
};

struct Taint {
  enum class Effect : std::uint8_t { kNoSchedule, kPreferNoSchedule, kNoExecute };
  std::string key;
  std::string value;
  Effect effect = Effect::kNoSchedule;
  bool operator==(const Taint&) const = default;
};
std::string Words(const Taint& taint);  // "key=value:NoSchedule"

enum class Truth : std::uint8_t { kUnknown, kFalse, kTrue };  // of a condition; absent is unknown

struct Node {
  std::string name;
  std::string uid;
  std::string boot_id;  // another one: local disks may have been wiped
  Labels labels;
  Labels expected;  // those of its annotations that say when it will be warm (node_marks.h)
  std::vector<Taint> taints;
  bool unschedulable = false;
  Resources allocatable;
  Truth ready = Truth::kUnknown;
  bool disk_pressure = false;
  bool deleting = false;
  std::optional<WallTime> created_at;
  bool operator==(const Node&) const = default;
};

enum class PodPhase : std::uint8_t { kPending, kRunning, kSucceeded, kFailed, kUnknown };

struct Pod {
  std::string name_space;
  std::string name;
  std::string uid;
  Labels labels;
  std::string owner_uid;  // of the controlling object; empty: none
  std::string node;       // empty: not bound yet
  PodPhase phase = PodPhase::kPending;
  bool unschedulable = false;  // the scheduler found no node
  bool gated = false;          // the scheduler has not been let at it
  bool deleting = false;
  Resources requests;  // what the scheduler reserves: init containers, sidecars, overhead
  std::optional<WallTime> created_at;
  std::optional<WallTime> bound_at;
  std::optional<WallTime> started_at;  // container "main", or the first where none is called that
  bool operator==(const Pod&) const = default;

  [[nodiscard]] bool Ended() const {
    return phase == PodPhase::kSucceeded || phase == PodPhase::kFailed;
  }
  // Holds what it requests of its node.
  [[nodiscard]] bool Occupies() const { return !node.empty() && !Ended(); }
};

// One metric of an autoscaler: what it is, and what it should be.
struct HpaMetric {
  std::string name;  // "cpu", "http_request"
  double current = 0;
  double target = 0;
  bool operator==(const HpaMetric&) const = default;
};

struct Hpa {
  std::string name_space;
  std::string name;
  std::string target_kind;
  std::string target_name;
  std::int32_t min_replicas = 1;
  std::int32_t max_replicas = 0;
  std::int32_t current_replicas = 0;
  std::int32_t desired_replicas = 0;
  std::vector<HpaMetric> metrics;  // those of which both numbers are known
  std::optional<WallTime> scaled_at;
  bool operator==(const Hpa&) const = default;
};

struct Deployment {
  std::string name_space;
  std::string name;
  std::string uid;
  Labels labels;
  Owner owner;
  std::int32_t replicas = 1;  // wanted
  std::int32_t ready_replicas = 0;
  LabelSelector selector;
  std::int64_t generation = 0;
  std::int64_t observed_generation = 0;
  bool deleting = false;
  std::optional<WallTime> created_at;
  bool operator==(const Deployment&) const = default;
};

struct ReplicaSet {
  std::string name_space;
  std::string name;
  std::string uid;
  std::string owner_uid;
  std::string template_hash;
  Labels labels;  // of its pods: they name the version of the bento
  std::int64_t revision = 0;
  std::int32_t replicas = 0;          // wanted
  std::int32_t current_replicas = 0;  // there
  std::optional<WallTime> created_at;
  bool operator==(const ReplicaSet&) const = default;

  [[nodiscard]] bool Empty() const { return replicas == 0 && current_replicas == 0; }
};

// Karpenter's promise of a node.
struct NodeClaim {
  std::string name;
  std::string pool;
  std::string node;  // empty until it registers
  Labels labels;     // also those that its requirements leave only one value for
  std::vector<Requirement> requirements;
  std::vector<Taint> taints;
  std::vector<Taint> startup_taints;  // will be taken off
  Resources allocatable;
  bool launched = false;
  bool registered = false;
  bool initialized = false;
  bool deleting = false;
  std::optional<WallTime> created_at;
  bool operator==(const NodeClaim&) const = default;
};

// The cluster autoscaler's event on a pod that it makes nodes for.
struct ScaleUp {
  struct Group {
    std::string name;
    std::int32_t from = 0;
    std::int32_t to = 0;
    bool operator==(const Group&) const = default;
  };
  std::string pod_namespace;
  std::string pod;
  std::string pod_uid;
  std::vector<Group> groups;
  std::optional<WallTime> at;
  bool operator==(const ScaleUp&) const = default;
};

}  // namespace prewarm::controller::demand
