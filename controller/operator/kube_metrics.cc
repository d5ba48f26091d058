#include "controller/operator/kube_metrics.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace prewarm::controller {
namespace {

using Samples = std::vector<MetricSample>;
using Loops = std::function<std::vector<const kube::ReflectorLoop*>()>;

constexpr std::array kStates{kube::ReflectorState::kStarting, kube::ReflectorState::kWatching,
                             kube::ReflectorState::kMissing, kube::ReflectorState::kForbidden,
                             kube::ReflectorState::kFailing};

Samples OfResources(const std::map<std::string, double>& values) {
  Samples samples;
  for (const auto& [resource, value] : values) {
    samples.push_back({{{"resource", resource}}, value});
  }
  return samples;
}

// One sample for each resource: the sum over its caches.
template <class Read>
ReadSamples SumOf(const Loops& all, Read read) {
  return [all, read] {
    std::map<std::string, double> values;
    for (const auto* loop : all()) {
      values[ToString(loop->resource())] += static_cast<double>(read(*loop));
    }
    return OfResources(values);
  };
}

ReadSamples StatesOf(const Loops& all) {
  return [all] {
    std::map<std::pair<std::string, std::string>, double> values;
    for (const auto* loop : all()) {
      for (const auto state : kStates) {
        auto& value = values[{ToString(loop->resource()), std::string(StateName(state))}];
        if (loop->state() == state) value = 1;
      }
    }
    Samples samples;
    for (const auto& [key, value] : values) {
      samples.push_back({{{"resource", key.first}, {"state", key.second}}, value});
    }
    return samples;
  };
}

// What the server does not have says nothing, and is not silent.
ReadSamples SilenceOf(const Loops& all, const Clock& clock) {
  return [all, &clock] {
    std::map<std::string, double> values;
    for (const auto* loop : all()) {
      if (loop->state() == kube::ReflectorState::kMissing || !loop->heard_at()) continue;
      auto& silence = values[ToString(loop->resource())];
      silence =
          std::max(silence, std::chrono::duration<double>(clock.Now() - *loop->heard_at()).count());
    }
    return OfResources(values);
  };
}

}  // namespace

KubeMetrics::KubeMetrics(Metrics& metrics) {
  for (const char* verb : {"get", "list", "watch", "create", "update", "patch", "delete"}) {
    seconds_.emplace(verb,
                     metrics.AddHistogram("prewarm_controller_kube_request_seconds",
                                          "Time to an answer of the Kubernetes API; of a watch "
                                          "until it was taken or refused",
                                          GrowingBuckets(0.001, 2.5, 12), {{"verb", verb}}));
  }
  metrics.ReadCounters(
      "prewarm_controller_kube_requests_total",
      "Requests to the Kubernetes API by the code of its answer; \"none\": it "
      "gave no answer",
      [this] {
        const auto counts = counts_.With([](const Counts& known) { return known.requests; });
        Samples samples;
        for (const auto& [key, count] : counts) {
          const auto& [verb, resource, code] = key;
          samples.push_back({{{"verb", verb}, {"resource", resource}, {"code", code}},
                             static_cast<double>(count)});
        }
        return samples;
      });
  metrics.ReadGauges(
      "prewarm_controller_kube_watches_open", "Watches that the Kubernetes API serves now", [this] {
        const auto open = counts_.With([](const Counts& known) { return known.open_watches; });
        std::map<std::string, double> values;
        for (const auto& [resource, count] : open) {
          values[resource] = static_cast<double>(count);
        }
        return OfResources(values);
      });
}

void KubeMetrics::Done(const kube::RequestReport& report) {
  const auto& kind = report.kind;
  if (const auto at = seconds_.find(kind.verb); at != seconds_.end()) {
    at->second.Observe(std::chrono::duration<double>(report.took).count());
  }
  auto code = report.status ? std::to_string(*report.status) : std::string("none");
  counts_.With([&](Counts& counts) {
    ++counts.requests[{std::string(kind.verb), kind.resource, std::move(code)}];
  });
}

void KubeMetrics::WatchOpened(const std::string& resource) {
  counts_.With([&](Counts& counts) { ++counts.open_watches[resource]; });
}

void KubeMetrics::WatchClosed(const std::string& resource) {
  counts_.With([&](Counts& counts) { --counts.open_watches[resource]; });
}

void AddReflectorMetrics(Metrics& metrics, const Clock& clock, const Loops& all) {
  metrics.ReadGauges("prewarm_controller_kube_cache_state",
                     "1 for the state of the cache of this resource, 0 for the others",
                     StatesOf(all));
  metrics.ReadGauges("prewarm_controller_kube_cache_objects", "Objects of the resource in memory",
                     SumOf(all, [](const auto& loop) { return loop.size(); }));
  metrics.ReadGauges("prewarm_controller_kube_silent_seconds",
                     "Time since the API server last said anything of the resource",
                     SilenceOf(all, clock));
  metrics.ReadCounters("prewarm_controller_kube_lists_total", "Whole lists that were begun",
                       SumOf(all, [](const auto& loop) { return loop.counters().lists; }));
  metrics.ReadCounters("prewarm_controller_kube_changes_total",
                       "Changes of objects that watches told of",
                       SumOf(all, [](const auto& loop) { return loop.counters().events; }));
  metrics.ReadCounters("prewarm_controller_kube_expired_total",
                       "Lists and watches that the server could not go on with (410)",
                       SumOf(all, [](const auto& loop) { return loop.counters().expired; }));
  metrics.ReadCounters("prewarm_controller_kube_disorders_total",
                       "Watches that told of an older state after a newer one",
                       SumOf(all, [](const auto& loop) { return loop.counters().disorders; }));
  metrics.ReadCounters("prewarm_controller_kube_cache_failures_total",
                       "Lists and watches that failed",
                       SumOf(all, [](const auto& loop) { return loop.counters().failures; }));
}

void AddEventMetrics(Metrics& metrics, std::function<kube::EventRecorder::Counters()> counters) {
  metrics.ReadCounters(
      "prewarm_controller_kube_events_total",
      "Events about workloads and prewarms: written, dropped because there were too many, or not "
      "taken by the API server",
      [counters = std::move(counters)] {
        const auto now = counters();
        return Samples{{{{"outcome", "written"}}, static_cast<double>(now.written)},
                       {{{"outcome", "dropped"}}, static_cast<double>(now.dropped)},
                       {{{"outcome", "failed"}}, static_cast<double>(now.failed)}};
      });
}

}  // namespace prewarm::controller
