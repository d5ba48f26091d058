#include "controller/controller_metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace prewarm::controller {
namespace {

using Samples = std::vector<MetricSample>;

Samples ToSamples(const char* label, const std::map<std::string, double>& values) {
  Samples samples;
  for (const auto& [name, value] : values) samples.push_back({{{label, name}}, value});
  return samples;
}

// A sample for each node, also for those that are not connected.
template <class Read>
ReadSamples PerNode(AgentRegistry& agents, Read read) {
  return [&agents, read] {
    std::map<std::string, double> values;
    for (const auto& node : agents.Nodes()) values[node.name] = static_cast<double>(read(node));
    return ToSamples("node", values);
  };
}

void AddPrewarms(Metrics& metrics, JobTable& jobs) {
  metrics.ReadGauges(
      "prewarm_controller_prewarms", "Prewarms that have not ended, by state", [&jobs] {
        std::map<std::string, double> values{{"pending", 0}, {"running", 0}, {"warm", 0}};
        for (const auto& [age, job] : jobs.by_age()) {
          const auto state = job->prewarm.state;
          if (!IsFinal(state)) ++values[std::string(StateName(state))];
        }
        return ToSamples("state", values);
      });
  metrics.ReadGauges("prewarm_controller_tasks", "Tasks of unfinished prewarms, by state", [&jobs] {
    std::map<std::string, double> values;
    for (const auto state :
         {TaskState::kWaiting, TaskState::kQueued, TaskState::kRunning, TaskState::kStored,
          TaskState::kStale, TaskState::kVisible, TaskState::kFailed, TaskState::kCancelled}) {
      values[std::string(StateName(state))] = 0;
    }
    for (const auto& [age, job] : jobs.by_age()) {
      if (IsFinal(job->prewarm.state)) continue;
      for (const auto& [node, task] : job->prewarm.tasks)
        ++values[std::string(StateName(task.state))];
    }
    return ToSamples("state", values);
  });
}

void AddProgress(Metrics& metrics, const ControllerMetricSources& sources) {
  const auto by_volume = [&jobs = sources.jobs,
                          &volumes = sources.volumes](auto read) -> ReadSamples {
    return [&jobs, &volumes, read] {
      std::map<std::string, double> values;
      for (const auto& [name, volume] : volumes) values[name] = 0;
      for (const auto& [age, job] : jobs.by_age()) {
        if (IsFinal(job->prewarm.state)) continue;
        for (const auto& [node, task] : job->prewarm.tasks) {
          values[job->prewarm.spec.volume] += static_cast<double>(read(task));
        }
      }
      return ToSamples("volume", values);
    };
  };
  metrics.ReadGauges("prewarm_controller_queue_bytes",
                     "Bytes that unfinished tasks still have to fetch",
                     by_volume([](const NodeTask& task) {
                       return IsFinal(task.state) ? 0 : task.progress.MissingBytes();
                     }));
  metrics.ReadGauges("prewarm_controller_planned_bytes",
                     "Bytes of the plans of unfinished prewarms",
                     by_volume([](const NodeTask& task) { return task.progress.planned_bytes; }));
  metrics.ReadGauges(
      "prewarm_controller_fetch_bytes_per_second", "Bytes that unfinished tasks fetch now",
      by_volume([](const NodeTask& task) { return task.progress.bytes_per_second; }));
  metrics.ReadGauge(
      "prewarm_controller_deadline_slack_seconds",
      "Least time between the forecast end and the deadline of unfinished prewarms; 0 without any",
      [&sources_jobs = sources.jobs, &reconciler = sources.reconciler, &clock = sources.clock] {
        std::map<std::string, double> finish;
        for (const auto& [key, seconds] : reconciler.Predicted()) {
          auto& last = finish[key.first];
          last = std::max(last, seconds);
        }
        std::optional<double> least;
        for (const auto& [age, job] : sources_jobs.by_age()) {
          const auto& deadline = job->prewarm.spec.deadline;
          const auto at = finish.find(job->prewarm.id);
          if (!deadline || IsFinal(job->prewarm.state) || at == finish.end()) continue;
          const double left = std::chrono::duration<double>(*deadline - clock.WallNow()).count();
          least = std::min(least.value_or(left - at->second), left - at->second);
        }
        return least.value_or(0);
      });
}

void AddNodes(Metrics& metrics, AgentRegistry& agents) {
  metrics.ReadGauge("prewarm_controller_agents_connected", "Agents with a live stream",
                    [&agents] { return static_cast<double>(agents.connected()); });
  metrics.ReadGauges("prewarm_controller_node_connected", "1 while the node's agent is connected",
                     PerNode(agents, [](const Node& node) { return node.connected ? 1 : 0; }));
  metrics.ReadGauges("prewarm_controller_node_fetch_bytes_per_second",
                     "Bytes from stores to the node, now",
                     PerNode(agents, [](const Node& node) { return node.bytes_per_second; }));
  metrics.ReadCounters("prewarm_controller_node_origin_bytes_total",
                       "Bytes from stores to the node since its agent started",
                       PerNode(agents, [](const Node& node) { return node.origin_bytes_total; }));
  metrics.ReadGauges("prewarm_controller_node_available_bytes",
                     "Bytes that may still be written to the node's cache directories",
                     PerNode(agents, [](const Node& node) { return node.AvailableBytes(); }));
}

void AddVolumes(Metrics& metrics, VolumeMap& volumes) {
  metrics.ReadGauges("prewarm_controller_volume_reachable",
                     "1 if the volume's metadata answered the last time", [&volumes] {
                       std::map<std::string, double> values;
                       for (const auto& [name, volume] : volumes) {
                         values[name] = volume->health() ? 1 : 0;
                       }
                       return ToSamples("volume", values);
                     });
  metrics.ReadGauges("prewarm_controller_volume_tracking",
                     "1 while the volume's metadata tells of changes to what kept prewarms read",
                     [&volumes] {
                       std::map<std::string, double> values;
                       for (const auto& [name, volume] : volumes) {
                         values[name] = volume->following().tracking ? 1 : 0;
                       }
                       return ToSamples("volume", values);
                     });
  metrics.ReadCounters("prewarm_controller_invalidations_total",
                       "Keys that the volume's metadata told of", [&volumes] {
                         std::map<std::string, double> values;
                         for (const auto& [name, volume] : volumes) {
                           values[name] = static_cast<double>(volume->following().invalidations);
                         }
                         return ToSamples("volume", values);
                       });
  metrics.ReadCounters("prewarm_controller_metadata_reads_total",
                       "Times that the volume's metadata was asked", [&volumes] {
                         std::map<std::string, double> values;
                         for (const auto& [name, volume] : volumes) {
                           values[name] = static_cast<double>(volume->redis_calls());
                         }
                         return ToSamples("volume", values);
                       });
}

}  // namespace

void AddControllerMetrics(Metrics& metrics, const ControllerMetricSources& sources) {
  metrics.ReadGauge("prewarm_controller_epoch", "Epoch of this leader; 0 while it stands by",
                    [&epoch = sources.epoch] { return static_cast<double>(epoch); });
  AddPrewarms(metrics, sources.jobs);
  AddProgress(metrics, sources);
  AddNodes(metrics, sources.agents);
  AddVolumes(metrics, sources.volumes);
}

}  // namespace prewarm::controller
