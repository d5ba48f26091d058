// The words of the agent link as values: what a controller orders, what an agent says about it. The
// protobuf messages that carry them are known to agent/link only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/warm/run_rank.h"
#include "agent/warm/tally.h"
#include "common/base/clock.h"
#include "common/base/secret.h"

namespace prewarm::agent {

// One piece of work over restarts of both sides; the generation grows when its plan changes.
struct TaskId {
  std::string prewarm;
  std::uint64_t generation = 0;
  bool operator==(const TaskId&) const = default;
};

enum class TaskState : std::uint8_t {
  kQueued,     // accepted; looks at what is there
  kRunning,    // fetches
  kStored,     // whole on disk, but a client of this node does not see it (yet)
  kVisible,    // whole, and every client of this node finds it
  kFailed,     // see the report's reason
  kCancelled,  // called off
  kStale,      // the store lacks blocks of the plan
};
inline constexpr std::size_t kTaskStates = 7;
std::string_view StateName(TaskState state);  // "queued", …
// Nothing happens to it any more. A stored task still waits for a client to see it.
bool IsFinal(TaskState state);

struct TaskOrder {
  TaskId id;
  std::string volume;
  RunRank rank;
  // What the plan was made from, from the volume's root: what clients can be asked about. Empty:
  // the controller is too old to say.
  std::vector<std::string> paths{};
};

struct TaskReport {
  TaskId id;
  TaskState state = TaskState::kQueued;
  std::uint64_t planned_blocks = 0;
  std::uint64_t planned_bytes = 0;
  std::uint64_t present_blocks = 0;
  std::uint64_t present_bytes = 0;
  Tally::Counts counts;
  std::string reason;   // why it failed, as in `warm --json`
  std::string message;  // for people
  std::uint64_t bytes_per_second = 0;
  std::optional<WallTime> visible_at;  // kStored: when the last client sees it at the latest
  std::string visibility;              // for people
  std::optional<WallTime> first_byte_at;
};

// A volume as the controller describes it.
struct VolumeDescriptor {
  std::string name;                            // in the controller's configuration
  std::string setting;                         // JuiceFS's own document
  std::vector<std::string> cache_directories;  // empty: the agent's own
  Secret rsa_passphrase;                       // empty: the agent's JFS_RSA_PASSPHRASE
  std::uint64_t download_limit = 0;            // bytes per second; 0: none
  bool operator==(const VolumeDescriptor&) const = default;
};

// Bytes per second; 0: none.
struct NodeLimits {
  std::uint64_t origin = 0;
  std::uint64_t disk_write = 0;
  bool operator==(const NodeLimits&) const = default;
};

struct DirectoryState {
  std::string path;
  std::uint64_t capacity_bytes = 0;   // what clients may fill
  std::uint64_t available_bytes = 0;  // what may still be written
  std::uint64_t available_inodes = 0;
  std::uint64_t free_bytes = 0;  // of the file system
  std::string disk = "unknown";  // nvme, ssd, hdd, network, memory
};

enum class Adoption : std::uint8_t { kBeforeMount, kLive, kRescan, kNever, kUnknown };

// A volume whose cache, or mount, is on this node.
struct VolumeState {
  std::string uuid{};
  std::uint64_t cached_blocks = 0;
  std::uint64_t cached_bytes = 0;
  bool mounted = false;
  Adoption adoption = Adoption::kUnknown;
  std::string words{};
};

// 0: not measured (yet). Bytes per second.
struct Measured {
  std::uint64_t disk_write = 0;
  std::uint64_t disk_read = 0;
  std::uint64_t store = 0;  // the best seen over ten seconds
};

struct NodeState {
  std::vector<DirectoryState> directories;
  std::vector<VolumeState> volumes;
  Measured measured;
  NodeLimits limits;  // in force
  std::uint64_t origin_bytes = 0;
  std::uint64_t origin_bytes_per_second = 0;
  std::uint64_t stored_bytes = 0;
  bool draining = false;
};

}  // namespace prewarm::agent
