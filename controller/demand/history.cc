#include "controller/demand/history.h"

#include <algorithm>

namespace prewarm::controller::demand {
namespace {

std::optional<std::chrono::nanoseconds> Between(std::optional<WallTime> from,
                                                std::optional<WallTime> to) {
  if (!from || !to) return std::nullopt;
  return *to - *from;
}

}  // namespace

std::optional<std::chrono::nanoseconds> NodeTimeline::LeadToBound() const {
  return Between(warm_at, pod_bound_at);
}

std::optional<std::chrono::nanoseconds> NodeTimeline::LeadToStart() const {
  return Between(warm_at, pod_started_at);
}

std::optional<std::chrono::nanoseconds> NodeTimeline::DecisionToWarm() const {
  return Between(decided_at, warm_at);
}

NodeTimeline* History::Entry(std::string_view node) {
  const auto at = nodes_.find(node);
  if (at != nodes_.end()) return &at->second;
  if (nodes_.size() == kMaxNodes) return nullptr;
  auto& entry = nodes_[std::string(node)];
  entry.node = node;
  return &entry;
}

void History::Decided(std::string_view node, SignalKind signal, WallTime when) {
  auto* entry = Entry(node);
  if (entry == nullptr || entry->decided_at) return;
  entry->signal = signal;
  entry->decided_at = when;
}

void History::Warm(std::string_view node, WallTime when) {
  auto* entry = Entry(node);
  if (entry != nullptr && !entry->warm_at) entry->warm_at = when;
}

void History::Saw(const Pod& pod) {
  if (pod.node.empty()) return;
  auto* entry = Entry(pod.node);
  if (entry == nullptr) return;
  if (entry->pod.empty()) entry->pod = pod.name;
  if (entry->pod != pod.name) return;
  entry->pod_created_at = pod.created_at;
  if (!entry->pod_bound_at) entry->pod_bound_at = pod.bound_at;
  if (!entry->pod_started_at) entry->pod_started_at = pod.started_at;
}

void History::Left(std::string_view node) {
  if (const auto at = nodes_.find(node); at != nodes_.end()) nodes_.erase(at);
}

std::vector<NodeTimeline> History::Timelines() const {
  std::vector<NodeTimeline> timelines;
  timelines.reserve(nodes_.size());
  for (const auto& [name, timeline] : nodes_) timelines.push_back(timeline);
  return timelines;
}

const NodeTimeline* History::Find(std::string_view node) const {
  const auto at = nodes_.find(node);
  return at == nodes_.end() ? nullptr : &at->second;
}

History::Score History::Ahead() const {
  Score score;
  for (const auto& [name, timeline] : nodes_) {
    if (!timeline.pod_bound_at) continue;
    ++score.bound;
    if (const auto lead = timeline.LeadToBound(); lead && lead->count() >= 0) ++score.ahead;
  }
  return score;
}

}  // namespace prewarm::controller::demand
