#include "controller/operator/workload_report.h"

#include <algorithm>
#include <set>

namespace prewarm::controller {
namespace {

const Prewarm* PrewarmFor(const DesiredPrewarm& desired, std::span<const Prewarm> existing) {
  const auto key = desired.Key();
  const auto at =
      std::ranges::find_if(existing, [&key](const auto& one) { return one.spec.model == key; });
  return at == existing.end() ? nullptr : &*at;
}

// A node is warm when it is so for each volume.
void Add(WorkloadNode& node, const Prewarm* prewarm) {
  const NodeTask* task = nullptr;
  if (prewarm != nullptr) {
    const auto at = prewarm->tasks.find(std::string(node.now.node));
    if (at != prewarm->tasks.end()) task = &at->second;
    node.now.chosen_before |= prewarm->spec.TargetAt(node.now.node) != nullptr;
  }
  const bool visible = task != nullptr && task->state == TaskState::kVisible;
  if (!visible) node.now.warm_at.reset();
  if (task == nullptr) return;
  node.now.failed |= task->state == TaskState::kFailed;
  node.planned_bytes += task->progress.planned_bytes;
  if (visible) node.visible_bytes += task->progress.planned_bytes;
}

TargetState StateOf(const WorkloadNode& node, bool has_pod) {
  if (node.now.warm_at) return has_pod ? TargetState::kInUse : TargetState::kAhead;
  return has_pod ? TargetState::kLate : TargetState::kComing;
}

WorkloadState StateOf(const bento::ModelPlan& models, std::span<const WorkloadNode> nodes) {
  const auto any = [&models](auto matches) {
    return std::ranges::any_of(models.models,
                               [matches](const auto& model) { return matches(model.state); });
  };
  if (!models.unresolved.empty()) return WorkloadState::kUnresolved;
  if (models.models.empty()) return WorkloadState::kNothingToWarm;
  if (any([](auto state) { return state == bento::ModelState::kUnlooked; })) {
    return WorkloadState::kUnlooked;
  }
  if (any([](auto state) { return state != bento::ModelState::kSeeded; })) {
    return WorkloadState::kNotSeeded;
  }
  if (nodes.empty()) return WorkloadState::kNoDemand;
  const bool warm =
      std::ranges::all_of(nodes, [](const auto& node) { return node.now.warm_at.has_value(); });
  return warm ? WorkloadState::kWarm : WorkloadState::kWarming;
}

}  // namespace

std::string_view StateName(WorkloadState state) {
  switch (state) {
    case WorkloadState::kWarm: return "warm";
    case WorkloadState::kWarming: return "warming";
    case WorkloadState::kNotSeeded: return "not-seeded";
    case WorkloadState::kNoDemand: return "no-demand";
    case WorkloadState::kNothingToWarm: return "nothing-to-warm";
    case WorkloadState::kUnresolved: return "unresolved";
    case WorkloadState::kUnlooked: return "unlooked";
  }
  return "unlooked";
}

std::string_view StateName(TargetState state) {
  switch (state) {
    case TargetState::kAhead: return "ahead";
    case TargetState::kInUse: return "in-use";
    case TargetState::kComing: return "coming";
    case TargetState::kLate: return "late";
  }
  return "coming";
}

TargetCounts WorkloadReport::Targets() const {
  TargetCounts sum{};
  for (const auto& [signal, counts] : targets) {
    for (std::size_t each = 0; each < kTargetStates; ++each) sum[each] += counts[each];
  }
  return sum;
}

std::vector<WorkloadNode> NodesOf(const WorkloadLook& look, WallTime now) {
  std::map<std::string_view, WorkloadNode> nodes;
  for (const auto& desired : look.output.desired) {
    if (desired.version != look.models.bento) continue;
    const auto* prewarm = PrewarmFor(desired, look.existing);
    for (const auto& target : desired.targets) {
      const auto [at, first] = nodes.try_emplace(target.node);
      auto& node = at->second;
      if (first) {
        node.now.node = target.node;
        node.now.has_agent = look.has_agent(target.node);
        node.now.warm_at = now;  // unless it is not for one of its volumes
        node.signal = target.signal;
      }
      Add(node, prewarm);
    }
  }
  std::vector<WorkloadNode> sorted;
  sorted.reserve(nodes.size());
  for (const auto& [name, node] : nodes) sorted.push_back(node);
  return sorted;
}

WorkloadReport ReportOn(const WorkloadLook& look, std::span<const WorkloadNode> nodes) {
  WorkloadReport report;
  report.state = StateOf(look.models, nodes);
  std::set<std::string_view> with_pods;
  for (const auto* pod : look.output.bound) with_pods.insert(pod->node);
  for (const auto& node : nodes) {
    const bool has_pod = with_pods.contains(node.now.node);
    auto& counts = report.targets[std::string(node.signal)];
    ++counts[static_cast<std::size_t>(StateOf(node, has_pod))];
    report.planned_bytes += node.planned_bytes;
    report.visible_bytes += node.visible_bytes;
  }
  for (const auto& signal : look.output.signals) {
    report.signals.set(static_cast<std::size_t>(signal.kind));
  }
  for (const auto& model : look.models.unresolved) {
    ++report.unresolved[std::string(bento::ObstacleName(model.obstacle))];
  }
  report.short_of_nodes = !look.output.unmet.empty();
  return report;
}

std::optional<demand::Arrival> ObstacleOf(const WorkloadReport& report) {
  if (report.state == WorkloadState::kNotSeeded && report.targets.empty()) {
    return demand::Arrival::kNotSeeded;
  }
  if (report.state == WorkloadState::kUnresolved && report.targets.empty()) {
    return demand::Arrival::kUnresolved;
  }
  return std::nullopt;
}

}  // namespace prewarm::controller
