#include "controller/demand/node_phase.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace prewarm::controller::demand {
namespace {

using Kind = NodePhase::Kind;

struct Mark {
  std::string_view key;  // of a taint; with a '*' at its end, what keys begin with
  Kind kind;
  std::string_view why;
};

// What autoscalers, clouds and Kubernetes itself write onto nodes. The worst mark counts.
constexpr std::array kMarks{
    Mark{"ToBeDeletedByClusterAutoscaler", Kind::kGoing, "is marked for deletion"},
    Mark{"DeletionCandidateOfClusterAutoscaler", Kind::kGoing, "is a candidate for deletion"},
    Mark{"karpenter.sh/disrupted", Kind::kGoing, "is being replaced"},
    Mark{"karpenter.sh/disruption", Kind::kGoing, "is being replaced"},
    Mark{"cloud.google.com/impending-node-termination", Kind::kGoing, "is about to be terminated"},
    Mark{"aws-node-termination-handler/*", Kind::kGoing, "is about to be terminated"},
    Mark{"node.cloudprovider.kubernetes.io/shutdown", Kind::kGoing, "is shut down"},
    Mark{"node.kubernetes.io/out-of-service", Kind::kGoing, "is out of service"},
    Mark{"node.kubernetes.io/disk-pressure", Kind::kGoing, "is short of disk"},
    Mark{"node.kubernetes.io/unreachable", Kind::kBroken, "cannot be reached"},
    Mark{"node.kubernetes.io/unschedulable", Kind::kCordoned, "is cordoned"},
    Mark{"node.kubernetes.io/not-ready", Kind::kComing, "is not ready"},
    Mark{"node.kubernetes.io/network-unavailable", Kind::kComing, "has no network"},
    Mark{"node.cloudprovider.kubernetes.io/uninitialized", Kind::kComing, "is not initialized"},
    Mark{"karpenter.sh/unregistered", Kind::kComing, "is not registered"},
    Mark{"startup-taint.cluster-autoscaler.kubernetes.io/*", Kind::kComing, "is starting"},
    Mark{"ignore-taint.cluster-autoscaler.kubernetes.io/*", Kind::kComing, "is starting"},
    Mark{"prewarm.dev/*", Kind::kComing, "waits until its cache is warm"},
};

const Mark* MarkOf(std::string_view key) {
  for (const auto& mark : kMarks) {
    const bool prefix = mark.key.ends_with('*');
    const auto name = mark.key.substr(0, mark.key.size() - (prefix ? 1 : 0));
    if (prefix ? key.starts_with(name) : key == name) return &mark;
  }
  return nullptr;
}

// These are also on nodes that were ready once; then they do not announce that one is coming.
bool MayComeBack(std::string_view key) {
  return key == "node.kubernetes.io/not-ready" || key == "node.kubernetes.io/network-unavailable";
}

bool Announces(const Taint& taint) { return IsStartupTaint(taint) && !MayComeBack(taint.key); }

bool Listed(const std::vector<Taint>& taints, const Taint& taint) {
  return std::ranges::find(taints, taint) != taints.end();
}

bool YoungerThan(const Node& node, std::chrono::minutes limit, WallTime now) {
  return node.created_at && now - *node.created_at < limit;
}

// How bad a kind is; the enumeration is in order of life.
bool Worse(Kind a, Kind b) {
  constexpr std::array kBadness{Kind::kReady, Kind::kComing, Kind::kCordoned, Kind::kBroken,
                                Kind::kGoing};
  return std::ranges::find(kBadness, a) > std::ranges::find(kBadness, b);
}

void Worsen(NodePhase& phase, Kind kind, std::string why) {
  if (!Worse(kind, phase.kind)) return;
  phase.kind = kind;
  phase.why = std::move(why);
}

}  // namespace

bool IsStartupTaint(const Taint& taint) {
  const auto* mark = MarkOf(taint.key);
  return mark != nullptr && mark->kind == Kind::kComing;
}

NodePhase PhaseOf(const Node& node, const std::vector<Taint>& startup, WallTime now) {
  NodePhase phase;
  if (node.deleting) Worsen(phase, Kind::kGoing, "is being deleted");
  if (node.disk_pressure) Worsen(phase, Kind::kGoing, "is short of disk");
  if (node.unschedulable) Worsen(phase, Kind::kCordoned, "is cordoned");
  // Such a node says itself that it is starting, however old it is.
  const bool starting = std::ranges::any_of(
      node.taints, [&](const Taint& taint) { return Announces(taint) || Listed(startup, taint); });
  const auto unready =
      starting || YoungerThan(node, kComingFor, now) ? Kind::kComing : Kind::kBroken;
  for (const auto& taint : node.taints) {
    if (const auto* mark = MarkOf(taint.key)) {
      Worsen(phase, MayComeBack(taint.key) ? unready : mark->kind,
             std::string(mark->why) + " (" + taint.key + ")");
    } else if (Listed(startup, taint)) {
      Worsen(phase, Kind::kComing, "is starting (" + taint.key + ")");
    }
  }
  if (node.ready != Truth::kTrue) {
    Worsen(phase, unready, "is not ready");
  }
  phase.fresh = phase.kind == Kind::kComing ||
                (phase.kind == Kind::kReady && YoungerThan(node, kNewFor, now));
  return phase;
}

}  // namespace prewarm::controller::demand
