// The time line of a workload's cold starts: when it was decided to warm a node, when it was warm,
// when the pod came, was bound and started. What "warm ahead of demand" is measured by. Pure value.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "controller/demand/objects.h"
#include "controller/demand/signals.h"

namespace prewarm::controller::demand {

// One node's way to a running pod. What is absent has not happened yet.
struct NodeTimeline {
  std::string node;
  SignalKind signal = SignalKind::kKeepWarm;  // that made it a target
  std::optional<WallTime> decided_at;
  std::optional<WallTime> warm_at;
  std::string pod;  // the first one bound since the decision
  std::optional<WallTime> pod_created_at;
  std::optional<WallTime> pod_bound_at;
  std::optional<WallTime> pod_started_at;
  bool operator==(const NodeTimeline&) const = default;

  // How long before the pod was bound the node was warm; negative: so much too late.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> LeadToBound() const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> LeadToStart() const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> DecisionToWarm() const;
};

// Of one version of one workload; begin a new one for a new version. Bounded: nodes beyond
// kMaxNodes are not recorded.
class History {
 public:
  static constexpr std::size_t kMaxNodes = 1000;

  // Only the first counts, until Left.
  void Decided(std::string_view node, SignalKind signal, WallTime when);
  // Visible to clients. Of a node that nobody decided on, too: it may have been warm from before.
  void Warm(std::string_view node, WallTime when);
  void Saw(const Pod& pod);
  // No longer a target, and no pod there.
  void Left(std::string_view node);

  [[nodiscard]] std::vector<NodeTimeline> Timelines() const;  // by node
  [[nodiscard]] const NodeTimeline* Find(std::string_view node) const;
  // On how many nodes a pod was bound, and on how many of them the bytes were visible before.
  struct Score {
    std::uint32_t bound = 0;
    std::uint32_t ahead = 0;
    bool operator==(const Score&) const = default;
  };
  [[nodiscard]] Score Ahead() const;
  bool operator==(const History&) const = default;

 private:
  NodeTimeline* Entry(std::string_view node);  // nothing if there are too many

  std::map<std::string, NodeTimeline, std::less<>> nodes_;
};

}  // namespace prewarm::controller::demand
