// Whether a node can take a pod: the part of a pod's specification that the scheduler filters
// nodes by, with its semantics. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/demand/node_phase.h"
#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

// All requirements of a term hold, or it does not match; an empty one matches nothing.
struct NodeTerm {
  std::vector<Requirement> labels;
  std::vector<Requirement> fields;  // metadata.name
  bool operator==(const NodeTerm&) const = default;
  [[nodiscard]] bool Matches(const Node& node) const;
};

struct PreferredTerm {
  std::int32_t weight = 1;
  NodeTerm term;
  bool operator==(const PreferredTerm&) const = default;
};

struct Toleration {
  std::string key;  // empty: every key, if `exists`
  bool exists = false;
  std::string value;
  std::optional<Taint::Effect> effect;  // nothing: every effect
  bool operator==(const Toleration&) const = default;
  [[nodiscard]] bool Tolerates(const Taint& taint) const;
};

struct SpreadConstraint {
  std::string topology_key;
  std::int32_t max_skew = 1;
  std::int32_t min_domains = 1;
  bool required = true;  // DoNotSchedule
  LabelSelector selector;
  bool operator==(const SpreadConstraint&) const = default;
};

struct Constraints {
  std::vector<std::pair<std::string, std::string>> node_selector;
  std::optional<std::vector<NodeTerm>> required;  // one of them; none at all: no node
  std::vector<PreferredTerm> preferred;
  std::vector<Toleration> tolerations;
  std::vector<SpreadConstraint> spread;
  Resources requests;
  // The cluster's admission lets pods tolerate taints named after extended resources that they ask
  // for. On GKE that is always so and is seen from the node.
  bool extended_resource_toleration = false;
  bool operator==(const Constraints&) const = default;
};

// Why a node cannot take a pod; small, because most nodes cannot take most pods. Words are made
// for those that are shown.
struct Refusal {
  enum class Kind : std::uint8_t {
    kPhase,     // going, or broken: the node says why
    kSelector,  // index: which pair of node_selector
    kAffinity,  // no required term matches
    kTaint,     // index: which taint of the node
    kCpu,       // needs and free
    kMemory,
    kEphemeralStorage,
    kPods,
    kExtended,  // index: which of requests.extended
    kSpread,    // index: which of spread; the node is in no domain of it
  };
  Kind kind = Kind::kPhase;
  std::uint32_t index = 0;
  std::int64_t needs = 0;
  std::int64_t free = 0;
  bool operator==(const Refusal&) const = default;
};

// A node and what decides about it besides the pod. What follows from the node alone is worked out
// once, because every node is asked about for every workload.
struct NodeState {
  const Node* node = nullptr;
  NodePhase phase;
  std::vector<std::uint32_t> hard_taints;  // which of the node's a pod has to tolerate
  std::vector<std::uint32_t> soft_taints;  // which of them it should
  bool gke = false;
  bool spot = false;  // the cloud may take it away at any time
  Resources used;     // by pods that are there, also by those that are being deleted
  Resources freeing;  // by those
};

// With nothing used. `startup`: taints that its claim says will be taken off. The node outlives it.
NodeState StateOf(const Node& node, const std::vector<Taint>& startup, WallTime now);

// Nothing if it can. What pods on their way out hold counts as free where `freed` says so. A node
// that is coming has resources that it does not name yet.
std::optional<Refusal> WhyNot(const NodeState& state, const Constraints& constraints, bool freed);
// Alone whether node selector and required affinity hold: such nodes make up the domains that pods
// are spread over.
bool MatchesSelectors(const Node& node, const Constraints& constraints);
// "has the taint x=y:NoSchedule", "needs 1 nvidia.com/gpu, 0 free".
std::string Words(const Refusal& refusal, const NodeState& state, const Constraints& constraints);

// The same for people, with what pods on their way out hold counted as free: nothing, or why not.
std::optional<std::string> CannotTake(const NodeState& state, const Constraints& constraints);

// How many such pods fit into what is free now; at most `most`.
std::int64_t RoomFor(const NodeState& state, const Constraints& constraints, std::int64_t most);

// How much the scheduler would like the node: weights of preferred terms that match, less 100 for
// every soft taint that is not tolerated.
std::int32_t Preference(const NodeState& state, const Constraints& constraints);

}  // namespace prewarm::controller::demand
