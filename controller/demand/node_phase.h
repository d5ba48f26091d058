// What a node's taints, conditions and marks say about its future. All names that autoscalers and
// clouds use for it stand in one table (node_phase.cc). Pure.
#pragma once

#include <string>
#include <vector>

#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

// How long a node may take to become ready for the first time, and how long it counts as new.
inline constexpr std::chrono::minutes kComingFor{20};
inline constexpr std::chrono::minutes kNewFor{10};

struct NodePhase {
  enum class Kind : std::uint8_t {
    kReady,
    kComing,    // will be ready: to be warmed now
    kCordoned,  // takes no new pods; those that it has stay
    kGoing,     // on its way out, or short of disk: not to be warmed
    kBroken,    // was ready and is not
  };
  Kind kind = Kind::kReady;
  bool fresh = false;  // coming, or so new that the pods it was made for may not be there yet
  std::string why;     // "is cordoned", "is marked for deletion (ToBeDeletedByClusterAutoscaler)"
  bool operator==(const NodePhase&) const = default;

  // By pods that are not bound to it yet.
  [[nodiscard]] bool MayBeWarmed() const { return kind == Kind::kReady || kind == Kind::kComing; }
};

// `startup`: taints of the node that are known to be temporary besides those whose name says so.
NodePhase PhaseOf(const Node& node, const std::vector<Taint>& startup, WallTime now);

// Will be taken off when the node is ready: no pod needs to tolerate it.
bool IsStartupTaint(const Taint& taint);

}  // namespace prewarm::controller::demand
