// Where: which nodes should hold a workload's models, how urgently and because of what. Pure: the
// same world gives the same answer in whatever order it comes, and an unchanged world changes no
// answer.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/demand/cluster_index.h"
#include "controller/demand/constraints.h"
#include "controller/demand/policy.h"
#include "controller/demand/rejections.h"
#include "controller/demand/signals.h"

namespace prewarm::controller::demand {

enum class DiskClass : std::uint8_t { kLocalNvme, kLocal, kUnknown, kMemory, kNetwork, kBoot };

// As agents name it (CacheDirectory.disk in agent_link.proto).
DiskClass DiskClassNamed(std::string_view name);

// What the agent of a node says, as far as this workload goes.
struct CacheFacts {
  enum class Agent : std::uint8_t { kNone, kAway, kConnected };
  Agent agent = Agent::kNone;
  std::uint64_t present_bytes = 0;  // of this workload's models
  std::uint64_t room_bytes = 0;     // free, and what may make way for it
  DiskClass disk = DiskClass::kUnknown;
};
using CacheOf = std::function<CacheFacts(const Node&)>;

struct Target {
  std::string node;
  std::string revision;  // template hash of a version before the newest; empty: the newest
  std::int32_t priority = 0;
  SignalKind signal = SignalKind::kKeepWarm;
  std::string why;  // "pod chat-1 is bound to it"
  bool operator==(const Target&) const = default;
};

// A node that is promised, but has no name yet.
struct Expected {
  std::string claim;
  std::string pool;
  bool operator==(const Expected&) const = default;
};

struct TargetRequest {
  const Constraints* constraints = nullptr;
  const Policy* policy = nullptr;
  const Demand* demand = nullptr;
  const WorkloadObjects* objects = nullptr;
  std::uint64_t bytes = 0;  // of the models, per node; 0: not known
  // Nodes of the last answer, but those that it has for versions before: they stay if they can.
  std::set<std::string, std::less<>> previous;
};

struct TargetPlan {
  std::vector<Target> targets;     // most urgent first, then by node and revision
  std::vector<Rejected> rejected;  // of more nodes than there are; most nodes first
  std::vector<Expected> expected;  // by claim
  std::int32_t wanted_nodes = 0;   // for the newest version
  std::string unmet;               // empty, or "3 nodes wanted, 2 can take it (4: needs 1 …)"
  bool operator==(const TargetPlan&) const = default;
};

// In this order: nodes to which pods of the workload are bound, always; nodes that are coming, if
// the policy says so; then the best of the others until the wanted number is reached, which is
// never more than the replicas that the workload may have, nor than the policy's maxNodes. Better
// is: was a target before; can take the pod now, not only when others are gone; is what the
// scheduler prefers; free GPUs; bytes already there; disk; room; a topology domain with fewer
// replicas; is not spot; name. Required topology spread is kept while choosing.
TargetPlan ChooseTargets(const ClusterIndex& cluster, const TargetRequest& request,
                         const CacheOf& cache_of);

}  // namespace prewarm::controller::demand
