#include "controller/demand/constraints.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "common/base/units.h"

namespace prewarm::controller::demand {
namespace {

constexpr std::string_view kNameField = "metadata.name";
// Every node of GKE is of a pool; GKE lets pods tolerate the taints of the devices they ask for.
constexpr std::string_view kGkePoolLabel = "cloud.google.com/gke-nodepool";
// Says that GPUs will be there, before they are counted.
constexpr std::string_view kGkeAcceleratorLabel = "cloud.google.com/gke-accelerator";
constexpr std::string_view kNvidiaLabel = "nvidia.com/gpu.present";

// Nodes that the cloud may take away at any time.
bool IsSpot(const Labels& labels) {
  return labels.Has("cloud.google.com/gke-spot", "true") ||
         labels.Has("cloud.google.com/gke-preemptible", "true") ||
         labels.Has("karpenter.sh/capacity-type", "spot") ||
         labels.Has("eks.amazonaws.com/capacityType", "SPOT") ||
         labels.Has("kubernetes.azure.com/scalesetpriority", "spot");
}

bool Tolerated(const NodeState& state, const Taint& taint, const Constraints& constraints) {
  const bool own_device = state.gke || constraints.extended_resource_toleration;
  return std::ranges::any_of(constraints.tolerations,
                             [&](const Toleration& it) { return it.Tolerates(taint); }) ||
         (own_device && constraints.requests.Extended(taint.key) > 0);
}

// A device that a new node does not name yet, but that it will have: where the pod chooses its
// nodes it chose this one for it; else the node itself must hint at it, or every new node without
// GPUs would be warmed for pods that need them.
bool MayGet(const Node& node, std::string_view resource, const Constraints& constraints) {
  if (!constraints.node_selector.empty() || constraints.required) return true;
  const bool tainted =
      std::ranges::any_of(node.taints, [&](const Taint& taint) { return taint.key == resource; });
  if (tainted || node.labels.Find(resource)) return true;
  return resource == kGpuResource &&
         (node.labels.Find(kGkeAcceleratorLabel) || node.labels.Has(kNvidiaLabel, "true"));
}

struct Amounts {
  std::int64_t needs = 0;
  std::int64_t allocatable = 0;
  std::int64_t used = 0;
  std::int64_t freeing = 0;
  [[nodiscard]] std::int64_t Free(bool freed) const {
    return std::max<std::int64_t>(allocatable - used + (freed ? freeing : 0), 0);
  }
};

// Calls `look(kind, index, Amounts)` for every resource that the pod needs, until that is false.
template <class Look>
void ForEachNeed(const NodeState& state, const Constraints& constraints, Look look) {
  using Kind = Refusal::Kind;
  const auto& requests = constraints.requests;
  const auto& allocatable = state.node->allocatable;
  const auto amounts = [&](std::int64_t needs, std::int64_t Resources::* member) {
    return Amounts{needs, allocatable.*member, state.used.*member, state.freeing.*member};
  };
  // Devices first: they are scarce, and what people look for.
  for (std::uint32_t i = 0; i < requests.extended.size(); ++i) {
    const auto& [name, needs] = requests.extended[i];
    if (needs > 0 && !look(Kind::kExtended, i,
                           Amounts{needs, allocatable.Extended(name), state.used.Extended(name),
                                   state.freeing.Extended(name)})) {
      return;
    }
  }
  const struct {
    Kind kind;
    std::int64_t needs;
    std::int64_t Resources::* member;
  } plain_needs[] = {
      {Kind::kCpu, requests.cpu_milli, &Resources::cpu_milli},
      {Kind::kMemory, requests.memory, &Resources::memory},
      {Kind::kEphemeralStorage, requests.ephemeral_storage, &Resources::ephemeral_storage},
      {Kind::kPods, 1, &Resources::pods},
  };
  for (const auto& plain : plain_needs) {
    if (plain.needs > 0 && !look(plain.kind, 0, amounts(plain.needs, plain.member))) return;
  }
}

// The node is so new that it does not say yet how much it has.
bool NotCountedYet(const NodeState& state, Refusal::Kind kind, std::uint32_t index,
                   const Amounts& amounts, const Constraints& constraints) {
  if (!state.phase.fresh || amounts.allocatable != 0) return false;
  if (kind != Refusal::Kind::kExtended) return state.phase.kind == NodePhase::Kind::kComing;
  return MayGet(*state.node, constraints.requests.extended[index].first, constraints);
}

std::optional<Refusal> WhyNoRoom(const NodeState& state, const Constraints& constraints,
                                 bool freed) {
  std::optional<Refusal> refusal;
  ForEachNeed(state, constraints,
              [&](Refusal::Kind kind, std::uint32_t index, const Amounts& amounts) {
                const bool fits = amounts.needs <= amounts.Free(freed) ||
                                  NotCountedYet(state, kind, index, amounts, constraints);
                if (!fits) refusal = Refusal{kind, index, amounts.needs, amounts.Free(freed)};
                return fits;
              });
  return refusal;
}

std::string Cpus(std::int64_t milli) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", static_cast<double>(milli) / 1000);
  return buffer;
}

std::string NeedsWords(const Refusal& refusal, std::string_view what) {
  return "needs " + std::to_string(refusal.needs) + " " + std::string(what) + ", " +
         std::to_string(refusal.free) + " free";
}

std::string BytesWords(const Refusal& refusal, std::string_view what) {
  return "needs " + FormatBytes(static_cast<std::uint64_t>(refusal.needs)) + " of " +
         std::string(what) + ", " + FormatBytes(static_cast<std::uint64_t>(refusal.free)) + " free";
}

std::string AffinityWords(const std::vector<NodeTerm>& terms) {
  if (terms.size() == 1 && terms[0].labels.size() == 1 && terms[0].fields.empty()) {
    return "does not meet " + Words(terms[0].labels[0]);
  }
  return "does not meet the required node affinity";
}

}  // namespace

NodeState StateOf(const Node& node, const std::vector<Taint>& startup, WallTime now) {
  NodeState state;
  state.node = &node;
  state.phase = PhaseOf(node, startup, now);
  state.gke = node.labels.Find(kGkePoolLabel).has_value();
  state.spot = IsSpot(node.labels);
  for (std::uint32_t i = 0; i < node.taints.size(); ++i) {
    const auto& taint = node.taints[i];
    if (IsStartupTaint(taint) || std::ranges::find(startup, taint) != startup.end()) continue;
    const bool soft = taint.effect == Taint::Effect::kPreferNoSchedule;
    (soft ? state.soft_taints : state.hard_taints).push_back(i);
  }
  return state;
}

bool NodeTerm::Matches(const Node& node) const {
  if (labels.empty() && fields.empty()) return false;
  return std::ranges::all_of(labels,
                             [&](const Requirement& requirement) {
                               return requirement.Holds(node.labels.Find(requirement.key));
                             }) &&
         std::ranges::all_of(fields, [&](const Requirement& requirement) {
           return requirement.key == kNameField && requirement.Holds(node.name);
         });
}

bool Toleration::Tolerates(const Taint& taint) const {
  if (effect && *effect != taint.effect) return false;
  if (key.empty()) return exists;
  return key == taint.key && (exists || value == taint.value);
}

bool MatchesSelectors(const Node& node, const Constraints& constraints) {
  return std::ranges::all_of(
             constraints.node_selector,
             [&](const auto& label) { return node.labels.Has(label.first, label.second); }) &&
         (!constraints.required ||
          std::ranges::any_of(*constraints.required,
                              [&](const NodeTerm& term) { return term.Matches(node); }));
}

std::optional<Refusal> WhyNot(const NodeState& state, const Constraints& constraints, bool freed) {
  using Kind = Refusal::Kind;
  const auto& node = *state.node;
  if (!state.phase.MayBeWarmed()) return Refusal{Kind::kPhase};
  for (std::uint32_t i = 0; i < constraints.node_selector.size(); ++i) {
    const auto& [key, value] = constraints.node_selector[i];
    if (!node.labels.Has(key, value)) return Refusal{Kind::kSelector, i};
  }
  if (!MatchesSelectors(node, constraints)) return Refusal{Kind::kAffinity};
  for (const auto i : state.hard_taints) {
    if (!Tolerated(state, node.taints[i], constraints)) return Refusal{Kind::kTaint, i};
  }
  for (std::uint32_t i = 0; i < constraints.spread.size(); ++i) {
    const auto& spread = constraints.spread[i];
    if (spread.required && !node.labels.Find(spread.topology_key)) {
      return Refusal{Kind::kSpread, i};
    }
  }
  return WhyNoRoom(state, constraints, freed);
}

std::string Words(const Refusal& refusal, const NodeState& state, const Constraints& constraints) {
  switch (refusal.kind) {
    case Refusal::Kind::kPhase: return state.phase.why;
    case Refusal::Kind::kSelector: {
      const auto& [key, value] = constraints.node_selector[refusal.index];
      return "does not have the label " + key + "=" + value;
    }
    case Refusal::Kind::kAffinity: return AffinityWords(*constraints.required);
    case Refusal::Kind::kTaint: return "has the taint " + Words(state.node->taints[refusal.index]);
    case Refusal::Kind::kCpu:
      return "needs " + Cpus(refusal.needs) + " CPU, " + Cpus(refusal.free) + " free";
    case Refusal::Kind::kMemory: return BytesWords(refusal, "memory");
    case Refusal::Kind::kEphemeralStorage: return BytesWords(refusal, "ephemeral storage");
    case Refusal::Kind::kPods: return "has no place for one more pod";
    case Refusal::Kind::kExtended:
      return NeedsWords(refusal, constraints.requests.extended[refusal.index].first);
    case Refusal::Kind::kSpread:
      return "does not have the label " + constraints.spread[refusal.index].topology_key +
             " that pods are spread by";
  }
  return {};
}

std::optional<std::string> CannotTake(const NodeState& state, const Constraints& constraints) {
  const auto refusal = WhyNot(state, constraints, true);
  if (!refusal) return std::nullopt;
  return Words(*refusal, state, constraints);
}

std::int64_t RoomFor(const NodeState& state, const Constraints& constraints, std::int64_t most) {
  ForEachNeed(state, constraints,
              [&](Refusal::Kind kind, std::uint32_t index, const Amounts& amounts) {
                if (!NotCountedYet(state, kind, index, amounts, constraints)) {
                  most = std::min(most, amounts.Free(false) / amounts.needs);
                }
                return true;
              });
  return most;
}

std::int32_t Preference(const NodeState& state, const Constraints& constraints) {
  constexpr std::int32_t kSoftTaint = 100;  // as much as the largest weight
  std::int32_t preference = 0;
  for (const auto& preferred : constraints.preferred) {
    if (preferred.term.Matches(*state.node)) preference += preferred.weight;
  }
  for (const auto i : state.soft_taints) {
    if (!Tolerated(state, state.node->taints[i], constraints)) preference -= kSoftTaint;
  }
  return preference;
}

}  // namespace prewarm::controller::demand
