#include "agent/agent_metrics.h"

#include <array>
#include <string>
#include <utility>

namespace prewarm::agent {
namespace {

using ByReason = std::array<std::uint64_t, Tally::kReasons>;

std::vector<MetricSample> Samples(const ByReason& counts) {
  std::vector<MetricSample> samples;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    // The reason that is none is not a series of its own before it has happened.
    if (i == 0 && counts[i] == 0) continue;
    samples.push_back({{{"reason", std::string(ReasonName(static_cast<Reason>(i)))}},
                       static_cast<double>(counts[i])});
  }
  return samples;
}

template <class Counts>
std::vector<MetricSample> SamplesByState(const Counts& counts, bool only_final) {
  std::vector<MetricSample> samples;
  for (std::size_t i = 0; i < kTaskStates; ++i) {
    const auto state = static_cast<TaskState>(i);
    if (only_final && !IsFinal(state)) continue;
    samples.push_back({{{"state", std::string(StateName(state))}}, static_cast<double>(counts[i])});
  }
  return samples;
}

void AddTaskMetrics(Metrics& metrics, NodeTasks& tasks) {
  metrics.ReadGauges("prewarm_agent_tasks", "Tasks held, by state.",
                     [&tasks] { return SamplesByState(tasks.Totals().held, false); });
  metrics.ReadCounters("prewarm_agent_tasks_ended_total", "Tasks that have ended, by state.",
                       [&tasks] { return SamplesByState(tasks.Totals().ended, true); });
  metrics.ReadCounters("prewarm_agent_blocks_failed_total", "Blocks that were given up, by reason.",
                       [&tasks] { return Samples(tasks.Totals().counts.failed_by_reason); });
  metrics.ReadCounters("prewarm_agent_errors_total",
                       "Attempts that went wrong, by reason, those made good by a retry included.",
                       [&tasks] { return Samples(tasks.Totals().counts.errors_by_reason); });
  const auto count = [&](const char* name, const char* help,
                         std::uint64_t Tally::Counts::* member) {
    metrics.ReadCounter(name, help, [&tasks, member] {
      return static_cast<double>(tasks.Totals().counts.*member);
    });
  };
  using Counts = Tally::Counts;
  count("prewarm_agent_blocks_fetched_total", "Blocks fetched and stored.",
        &Counts::fetched_blocks);
  count("prewarm_agent_stored_bytes_total", "Bytes of blocks stored.", &Counts::fetched_bytes);
  count("prewarm_agent_blocks_unverified_total",
        "Blocks stored for which the store gave nothing to check against.",
        &Counts::unverified_blocks);
  count("prewarm_agent_requests_total", "Requests to stores.", &Counts::requests);
  count("prewarm_agent_retries_total", "Requests that repeated another one.", &Counts::retries);
  metrics.ReadCounter("prewarm_agent_blocks_present_total",
                      "Blocks of tasks that were whole in the cache already.",
                      [&tasks] { return static_cast<double>(tasks.Totals().present_blocks); });
  metrics.ReadCounters("prewarm_agent_received_bytes_total", "Bytes received, by source.",
                       [&tasks]() -> std::vector<MetricSample> {
                         const auto bytes = tasks.Totals().counts.wire_bytes;
                         return {{{{"source", "origin"}}, static_cast<double>(bytes)}};
                       });
}

void AddRateMetrics(Metrics& metrics, NodeTasks& tasks, WarmEngine& engine) {
  metrics.ReadGauges("prewarm_agent_receive_bytes_per_second",
                     "Bytes received per second over the last seconds, by source.",
                     [&tasks]() -> std::vector<MetricSample> {
                       const auto rate = tasks.origin_bytes_per_second();
                       return {{{{"source", "origin"}}, static_cast<double>(rate)}};
                     });
  metrics.ReadGauges("prewarm_agent_limit_bytes_per_second",
                     "Limits in force over all tasks, by kind; 0: none.",
                     [&tasks]() -> std::vector<MetricSample> {
                       const auto& limits = tasks.limits();
                       return {{{{"kind", "origin"}}, static_cast<double>(limits.origin)},
                               {{{"kind", "disk_write"}}, static_cast<double>(limits.disk_write)}};
                     });
  metrics.ReadGauge("prewarm_agent_store_bytes_per_second",
                    "The best rate seen from stores over ten seconds; 0: none yet.",
                    [&tasks] { return static_cast<double>(tasks.best_store_rate()); });
  metrics.ReadGauge("prewarm_agent_draining", "1 while the agent stops.",
                    [&tasks] { return tasks.draining() ? 1.0 : 0.0; });
  metrics.ReadGauge("prewarm_agent_buffer_bytes", "Memory for blocks on their way.",
                    [&engine] { return static_cast<double>(engine.memory().bytes); });
}

void AddNodeMetrics(Metrics& metrics, const NodeSurvey& survey) {
  using Member = std::uint64_t DirectoryState::*;
  const auto by_directory = [&](const char* name, const char* help, Member member) {
    metrics.ReadGauges(name, help, [&survey, member] {
      std::vector<MetricSample> samples;
      for (const auto& directory : survey.directories()) {
        samples.push_back({{{"directory", std::to_string(samples.size())}},
                           static_cast<double>(directory.*member)});
      }
      return samples;
    });
  };
  by_directory("prewarm_agent_directory_free_bytes",
               "Free bytes of the file system, by index of the cache directory.",
               &DirectoryState::free_bytes);
  by_directory("prewarm_agent_directory_available_bytes",
               "Bytes that may still be stored, by index of the cache directory.",
               &DirectoryState::available_bytes);
  by_directory("prewarm_agent_directory_capacity_bytes",
               "Bytes that clients may fill, by index of the cache directory.",
               &DirectoryState::capacity_bytes);
  metrics.ReadGauge("prewarm_agent_disk_write_bytes_per_second",
                    "As measured at start, over all cache directories; 0: not measured.",
                    [&survey] { return static_cast<double>(survey.measured().disk_write); });
  metrics.ReadGauge("prewarm_agent_disk_read_bytes_per_second",
                    "As measured at start, over all cache directories; 0: not measured.",
                    [&survey] { return static_cast<double>(survey.measured().disk_read); });
}

void AddLinkMetrics(Metrics& metrics, const ControllerLink& link) {
  metrics.ReadGauge("prewarm_agent_controller_connected",
                    "1 while a controller has welcomed this agent.",
                    [&link] { return link.connected() ? 1.0 : 0.0; });
  metrics.ReadGauge("prewarm_agent_epoch", "The newest epoch of a controller seen; 0: none.",
                    [&link] { return static_cast<double>(link.epoch()); });
  metrics.ReadCounter("prewarm_agent_controller_dials_total", "Times a controller was dialled.",
                      [&link] { return static_cast<double>(link.streams()); });
}

}  // namespace

void AddAgentMetrics(Metrics& metrics, MetricSources sources) {
  AddTaskMetrics(metrics, sources.tasks);
  AddRateMetrics(metrics, sources.tasks, sources.engine);
  AddNodeMetrics(metrics, sources.survey);
  AddLinkMetrics(metrics, sources.link);
}

}  // namespace prewarm::agent
