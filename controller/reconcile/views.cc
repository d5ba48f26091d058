// What callers see of prewarms, nodes and volumes.
#include "controller/plan/forecast.h"
#include "controller/reconcile/service.h"

namespace prewarm::controller {

std::optional<WallTime> ControllerService::InSeconds(std::optional<double> seconds) const {
  if (!seconds) return std::nullopt;
  return MomentIn(*seconds, parts_.clock.WallNow());
}

PrewarmView ControllerService::ViewOf(const Prewarm& prewarm) {
  PrewarmView view;
  view.prewarm = prewarm;
  const bool ended = IsFinal(prewarm.state);
  for (const auto& [node, task] : prewarm.tasks) {
    TaskView entry{task, std::nullopt};
    if (!ended && !IsFinal(task.state)) {
      const auto& predicted = parts_.reconciler.Predicted();
      const auto at = predicted.find({prewarm.id, node});
      if (at != predicted.end()) entry.eta = InSeconds(at->second);
    }
    view.tasks.push_back(std::move(entry));
  }
  if (!ended) view.forecast = ForecastFor(prewarm);
  return view;
}

NodeView ControllerService::ViewOf(const Node& node) {
  NodeView view;
  view.node = node;
  std::optional<double> last;
  const auto& predicted = parts_.reconciler.Predicted();
  for (const auto& task : parts_.reconciler.Queue()) {
    if (task.node != node.name) continue;
    ++view.tasks;
    view.queued_bytes += task.missing_bytes;
    const auto at = predicted.find({task.prewarm, task.node});
    if (at != predicted.end()) last = std::max(last.value_or(0), at->second);
  }
  view.eta = InSeconds(last);
  return view;
}

VolumeView ControllerService::ViewOf(const Volume& volume) {
  VolumeView view;
  view.name = volume.name();
  if (volume.descriptor()) view.uuid = volume.descriptor()->uuid;
  view.storage = volume.storage();
  view.reachable = volume.health().has_value();
  if (!view.reachable) view.message = volume.health().error().message;
  std::optional<double> last;
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    const auto& prewarm = job->prewarm;
    if (IsFinal(prewarm.state) || prewarm.spec.volume != volume.name()) continue;
    ++view.prewarms;
    for (const auto& [node, task] : prewarm.tasks) {
      view.bytes_per_second += task.progress.bytes_per_second;
      const auto& predicted = parts_.reconciler.Predicted();
      const auto at = predicted.find({prewarm.id, node});
      if (at != predicted.end()) last = std::max(last.value_or(0), at->second);
    }
  }
  view.eta = InSeconds(last);
  return view;
}

}  // namespace prewarm::controller
