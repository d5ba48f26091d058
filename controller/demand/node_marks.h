// What nodes say of the models on them, and when a new node may take pods. Labels and annotations
// are for schedulers and people; the gate is a taint that a node pool puts onto its new nodes, and
// that is taken off when they are warm. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

// Annotation "expected.warm.prewarm.dev/team-a.chat": when the node will be warm, RFC 3339. A
// moment stays true without being written again.
inline constexpr std::string_view kExpectedPrefix = "expected.warm.prewarm.dev/";
// Annotation "seconds.warm.prewarm.dev/team-a.chat": how long that is from now, for whoever
// compares nodes by a number. Written again whenever half of it has passed, so that it is never
// more than about twice what is left, and a node is written few times.
inline constexpr std::string_view kSecondsPrefix = "seconds.warm.prewarm.dev/";
// The taints that are ours to take off. The second is one that the cluster autoscaler knows to be
// temporary.
inline constexpr std::string_view kGateTaint = "prewarm.dev/warming";
inline constexpr std::string_view kAutoscalerGateTaint =
    "startup-taint.cluster-autoscaler.kubernetes.io/prewarm";

struct NodeWarmth {
  std::set<std::string> warm;                // WarmLabel() of workloads
  std::map<std::string, WallTime> expected;  // by the same: chosen, not warm yet
};

// By key; nothing: to be taken away.
using MarkChanges = std::map<std::string, std::optional<std::string>>;
struct NodeMarks {
  MarkChanges labels;
  MarkChanges annotations;
  [[nodiscard]] bool empty() const { return labels.empty() && annotations.empty(); }
};
// What has to be changed on the node; an expectation that moved by little stays as it is. Labels
// and annotations that are not ours are never touched.
NodeMarks MarksToChange(const Node& node, const NodeWarmth& warmth, WallTime now);

// What workloads whose policy has the gate want of a node.
struct GateWish {
  bool wanted = false;   // one of them is to be warm there
  bool pending = false;  // and is not yet, and has not failed either
  std::chrono::nanoseconds timeout = std::chrono::minutes(5);  // since the node was created
};

// Index of our taint in Node::taints.
std::optional<std::size_t> GateOf(const Node& node);
// Why the gate is to be opened, in words; nothing: it stays for now. Opens sooner rather than
// later: where nothing can be warmed nobody waits.
std::optional<std::string> WhyOpen(const Node& node, bool has_agent, const GateWish& wish,
                                   WallTime now);

}  // namespace prewarm::controller::demand
