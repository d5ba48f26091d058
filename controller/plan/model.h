// The words of the controller as values: what was asked, what was promised, what nodes are and do.
// Everything else in controller/ speaks in these; protobuf and JSON exist only at the edges. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::controller {

inline constexpr int kMaxPriority = 1000;

struct NodeSelector {
  std::vector<std::string> names;             // exact; empty: any
  std::map<std::string, std::string> labels;  // all must match
  std::uint32_t count = 0;                    // at most so many, the best first; 0: all
  bool operator==(const NodeSelector&) const = default;
};

// An object of the cluster whose pods will need the bytes.
struct WorkloadRef {
  std::string api_version;
  std::string kind;
  std::string name;  // in the namespace of the prewarm
  std::string uid;
  bool operator==(const WorkloadRef&) const = default;
};

// A node that was chosen for a workload, and because of what.
struct NodeTarget {
  std::string node;
  int priority = 0;    // in place of the prewarm's
  std::string signal;  // "hpa-desired"
  std::string why;     // "the autoscaler wants 4 replicas, 1 is bound"
  bool operator==(const NodeTarget&) const = default;
};

struct PrewarmSpec {
  std::string volume;
  std::vector<std::string> paths;  // empty: the whole volume
  NodeSelector nodes;
  int priority = 0;  // 0 to kMaxPriority
  std::optional<WallTime> deadline;
  bool refuse_if_late = false;
  bool keep = false;
  std::string model;
  // Made by the controller for a workload: goes to `targets` (sorted by node) and to no other node,
  // as soon as their agents are there.
  std::optional<WorkloadRef> workload;
  std::vector<NodeTarget> targets;
  bool operator==(const PrewarmSpec&) const = default;

  // nullptr: the node is none of the targets.
  [[nodiscard]] const NodeTarget* TargetAt(std::string_view node) const;

  // What a newer prewarm must share to supersede this one: `model`, or volume and paths.
  [[nodiscard]] std::string ModelKey() const;
};

enum class PrewarmState : std::uint8_t {
  kPending,    // accepted, paths not resolved yet
  kRunning,    // tasks exist
  kWarm,       // keep: everything visible now, and watched
  kSucceeded,  // from here on: final
  kFailed,
  kCancelled,
  kSuperseded,
};
constexpr bool IsFinal(PrewarmState state) { return state >= PrewarmState::kSucceeded; }
std::string_view StateName(PrewarmState state);  // "pending", …
std::optional<PrewarmState> PrewarmStateNamed(std::string_view name);

enum class TaskState : std::uint8_t {
  kWaiting,  // the agent has not taken it yet, or is not connected
  kQueued,
  kRunning,
  kStored,   // whole on disk; a client does not see it yet
  kStale,    // the store lacks blocks of the plan: to be resolved again
  kVisible,  // from here on: final for this generation
  kFailed,
  kCancelled,
};
constexpr bool IsFinal(TaskState state) { return state >= TaskState::kVisible; }
constexpr bool NeedsBytes(TaskState state) {
  return !IsFinal(state) && state != TaskState::kStored;
}
std::string_view StateName(TaskState state);
std::optional<TaskState> TaskStateNamed(std::string_view name);

// What an agent said of a task.
struct TaskProgress {
  std::uint64_t planned_blocks = 0;
  std::uint64_t planned_bytes = 0;
  std::uint64_t present_blocks = 0;  // whole before the task began
  std::uint64_t present_bytes = 0;
  std::uint64_t fetched_blocks = 0;
  std::uint64_t fetched_bytes = 0;
  std::uint64_t failed_blocks = 0;
  std::uint64_t wire_bytes = 0;
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t bytes_per_second = 0;
  bool operator==(const TaskProgress&) const = default;

  // Still to be fetched; at most planned_bytes.
  [[nodiscard]] std::uint64_t MissingBytes() const;
};

// The part of a prewarm that one node does.
struct NodeTask {
  std::string node;
  std::uint64_t generation = 0;
  TaskState state = TaskState::kWaiting;
  std::string reason;
  std::string message;
  TaskProgress progress;
  std::optional<WallTime> visible_at;
  bool operator==(const NodeTask&) const = default;
};

// An accepted prewarm: what is durable of it. Progress of unfinished tasks is not; agents say it
// again.
struct Prewarm {
  std::string id;
  std::string name_space;
  std::uint64_t age = 0;  // order of acceptance
  PrewarmSpec spec;
  std::string idempotency_key;
  PrewarmState state = PrewarmState::kPending;
  std::string reason;
  std::string message;
  WallTime created_at;
  std::optional<WallTime> ended_at;
  std::string superseded_by;
  std::uint64_t generation = 0;  // of the plan; 0: not resolved yet
  std::uint64_t plan_hash = 0;   // ResolvedPlan::Hash() of that generation
  std::uint64_t files = 0;
  std::map<std::string, NodeTask> tasks;  // by node
  // When all of it should be visible, as it was last told to those who look at its object; a new
  // leader foretells it anew.
  std::optional<WallTime> expected_at;
  bool operator==(const Prewarm&) const = default;
};

// The paths of a prewarm, resolved: equal for all nodes.
struct ResolvedPlan {
  std::uint64_t files = 0;
  std::uint64_t file_bytes = 0;
  juicefs::BlockPlan blocks;
  // What was resolved, from the volume's root ("/": all of it): by this a client can be asked what
  // it sees.
  std::vector<std::string> paths{};

  // Equal for equal block runs in equal order; stable over restarts and versions.
  [[nodiscard]] std::uint64_t Hash() const;
};

struct CacheDirectory {
  std::string path;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t available_bytes = 0;
  std::string disk;
  bool operator==(const CacheDirectory&) const = default;
};

struct NodeVolume {
  std::string uuid;
  std::uint64_t cached_bytes = 0;
  bool mounted = false;
  std::string words;
  std::string adoption{};  // when clients see what is stored: "before-mount", "live", …
  bool operator==(const NodeVolume&) const = default;
};

// A node as the registry knows it.
struct Node {
  std::string name;
  bool connected = false;
  bool draining = false;
  std::optional<WallTime> seen_at;
  std::string version;
  std::map<std::string, std::string> labels;
  std::vector<CacheDirectory> directories;
  std::vector<NodeVolume> volumes;
  std::uint64_t measured_store_rate = 0;  // bytes per second; 0: not measured
  std::uint64_t measured_disk_rate = 0;
  std::uint64_t bytes_per_second = 0;    // from stores, now
  std::uint64_t origin_bytes_total = 0;  // since the agent started
  std::uint64_t download_limit = 0;      // in force, as the agent says
  bool operator==(const Node&) const = default;

  [[nodiscard]] std::uint64_t CapacityBytes() const;
  [[nodiscard]] std::uint64_t AvailableBytes() const;
};

// Limits that an operator sets and may change while everything runs. Bytes per second; 0: none.
struct FleetLimits {
  std::uint64_t origin = 0;           // all nodes together, from stores
  std::uint64_t node_download = 0;    // each node
  std::uint64_t node_disk_write = 0;  // each node
  bool operator==(const FleetLimits&) const = default;
};

}  // namespace prewarm::controller
