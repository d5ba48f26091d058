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

// Of each unfinished prewarm that has a deadline and a forecast: what is left to the deadline when
// its last task is done. Seconds; negative: too late.
std::vector<double> DeadlineSlacks(const ControllerMetricSources& sources) {
  std::map<std::string, double> finish;
  for (const auto& [key, seconds] : sources.reconciler.Predicted()) {
    auto& last = finish[key.first];
    last = std::max(last, seconds);
  }
  std::vector<double> slacks;
  for (const auto& [age, job] : sources.jobs.by_age()) {
    const auto& deadline = job->prewarm.spec.deadline;
    const auto at = finish.find(job->prewarm.id);
    if (!deadline || IsFinal(job->prewarm.state) || at == finish.end()) continue;
    const auto left = std::chrono::duration<double>(*deadline - sources.clock.WallNow());
    slacks.push_back(left.count() - at->second);
  }
  return slacks;
}

void AddDeadlines(Metrics& metrics, const ControllerMetricSources& sources) {
  metrics.ReadGauge(
      "prewarm_controller_deadline_slack_seconds",
      "Least time between the forecast end and the deadline of unfinished prewarms; 0 without any",
      [sources] {
        const auto slacks = DeadlineSlacks(sources);
        return slacks.empty() ? 0 : std::ranges::min(slacks);
      });
  metrics.ReadGauge("prewarm_controller_prewarms_late",
                    "Unfinished prewarms that will miss their deadline by the forecast", [sources] {
                      return static_cast<double>(std::ranges::count_if(
                          DeadlineSlacks(sources), [](double slack) { return slack < 0; }));
                    });
  metrics.ReadGauge("prewarm_controller_origin_limit_bytes_per_second",
                    "What all nodes together may take from stores; 0: no limit",
                    [&reconciler = sources.reconciler] {
                      return static_cast<double>(reconciler.options().limits.origin);
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
  metrics.ReadGauges("prewarm_controller_node_capacity_bytes",
                     "Bytes that clients may fill in the node's cache directories",
                     PerNode(agents, [](const Node& node) { return node.CapacityBytes(); }));
  metrics.ReadGauges("prewarm_controller_node_fetch_limit_bytes_per_second",
                     "What the node may take from stores, as its agent says; 0: no limit",
                     PerNode(agents, [](const Node& node) { return node.download_limit; }));
  metrics.ReadGauges("prewarm_controller_node_directories",
                     "Cache directories of the node, by class of disk", [&agents] {
                       Samples samples;
                       for (const auto& node : agents.Nodes()) {
                         std::map<std::string, double> by_disk;
                         for (const auto& directory : node.directories) ++by_disk[directory.disk];
                         for (const auto& [disk, count] : by_disk) {
                           samples.push_back({{{"node", node.name}, {"disk", disk}}, count});
                         }
                       }
                       return samples;
                     });
}

// How those of our volumes that are on a node's disks become visible to its clients.
void AddAdoption(Metrics& metrics, AgentRegistry& agents, const VolumeMap& volumes) {
  metrics.ReadGauges(
      "prewarm_controller_node_volumes",
      "1 for a volume on the node, by when its clients see what is stored", [&agents, &volumes] {
        std::map<std::string, std::string> names;  // by UUID
        for (const auto& [name, volume] : volumes) {
          if (volume->descriptor()) names.emplace(volume->descriptor()->uuid, name);
        }
        Samples samples;
        for (const auto& node : agents.Nodes()) {
          for (const auto& volume : node.volumes) {
            const auto name = names.find(volume.uuid);
            if (name == names.end()) continue;
            samples.push_back(
                {{{"node", node.name}, {"volume", name->second}, {"adoption", volume.adoption}},
                 1});
          }
        }
        return samples;
      });
}

// What unfinished prewarms have on each node, by volume.
void AddNodeContents(Metrics& metrics, JobTable& jobs) {
  const auto by_node_and_volume = [&jobs](auto read) -> ReadSamples {
    return [&jobs, read] {
      std::map<std::pair<std::string, std::string>, double> values;
      for (const auto& [age, job] : jobs.by_age()) {
        if (IsFinal(job->prewarm.state)) continue;
        for (const auto& [node, task] : job->prewarm.tasks) {
          values[{node, job->prewarm.spec.volume}] += static_cast<double>(read(task));
        }
      }
      Samples samples;
      for (const auto& [key, value] : values) {
        samples.push_back({{{"node", key.first}, {"volume", key.second}}, value});
      }
      return samples;
    };
  };
  metrics.ReadGauges(
      "prewarm_controller_node_visible_prewarms",
      "Prewarms of which every byte is visible on the node; those of a workload are its models",
      by_node_and_volume(
          [](const NodeTask& task) { return task.state == TaskState::kVisible ? 1 : 0; }));
  metrics.ReadGauges("prewarm_controller_node_visible_bytes", "Bytes of these prewarms",
                     by_node_and_volume([](const NodeTask& task) {
                       return task.state == TaskState::kVisible ? task.progress.planned_bytes : 0;
                     }));
  metrics.ReadGauges(
      "prewarm_controller_node_planned_bytes",
      "Bytes that unfinished prewarms are to make visible on the node",
      by_node_and_volume([](const NodeTask& task) { return task.progress.planned_bytes; }));
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
  metrics.ReadGauges("prewarm_controller_lease_age_seconds",
                     "Time since this leader last proved that it leads; a standby has none",
                     [&leadership = sources.leadership, &clock = sources.clock]() -> Samples {
                       const auto renewed = leadership.renewed_at();
                       if (!renewed) return {};
                       return {{{}, std::chrono::duration<double>(clock.Now() - *renewed).count()}};
                     });
  AddPrewarms(metrics, sources.jobs);
  AddProgress(metrics, sources);
  AddDeadlines(metrics, sources);
  AddNodes(metrics, sources.agents);
  AddAdoption(metrics, sources.agents, sources.volumes);
  AddNodeContents(metrics, sources.jobs);
  AddVolumes(metrics, sources.volumes);
}

}  // namespace prewarm::controller
