#include "controller/operator/workload_metrics.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller {
namespace {

using Samples = std::vector<MetricSample>;

constexpr const char* kColdStart = "prewarm_controller_cold_start_seconds";
constexpr const char* kColdStartHelp =
    "Time from the decision to warm a node until it was warm, a pod was bound to it, and started";
constexpr const char* kLead = "prewarm_controller_warm_lead_seconds";
constexpr const char* kLeadHelp =
    "How long before a pod was bound, and started, its node was warm; negative: so much too late";

// From a second that was in time to an hour, and the same for what was late.
std::vector<double> LeadBuckets() {
  return {-600, -120, -30, -10, -5, -2, -1, -0.1, 0, 0.1, 1, 2, 5, 10, 30, 120, 600, 3600};
}
std::vector<double> TimeBuckets() { return GrowingBuckets(0.1, 2.5, 13); }

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

MetricLabels LabelsOf(const bento::ObjectRef& ref) {
  return {
      {"workload_namespace", ref.name_space}, {"workload_kind", ref.kind}, {"workload", ref.name}};
}

void Add(Samples& samples, const bento::ObjectRef& ref, double value, const char* label = nullptr,
         std::string_view label_value = {}) {
  auto labels = LabelsOf(ref);
  if (label != nullptr) labels[label] = label_value;
  samples.push_back({std::move(labels), value});
}

}  // namespace

WorkloadMetrics::WorkloadMetrics(Metrics& metrics)
    : to_warm_(
          metrics.AddHistogram(kColdStart, kColdStartHelp, TimeBuckets(), {{"stage", "warm"}})),
      to_bound_(
          metrics.AddHistogram(kColdStart, kColdStartHelp, TimeBuckets(), {{"stage", "bound"}})),
      to_start_(
          metrics.AddHistogram(kColdStart, kColdStartHelp, TimeBuckets(), {{"stage", "started"}})),
      lead_to_bound_(metrics.AddHistogram(kLead, kLeadHelp, LeadBuckets(), {{"until", "bound"}})),
      lead_to_start_(
          metrics.AddHistogram(kLead, kLeadHelp, LeadBuckets(), {{"until", "started"}})) {
  for (std::size_t arrival = 0; arrival < demand::kArrivals; ++arrival) {
    arrivals_.push_back(metrics.AddCounter(
        "prewarm_controller_pods_bound_total",
        "Pods of workloads that were bound, by how they found their node: warm, or why not",
        {{"arrival", std::string(demand::ArrivalName(static_cast<demand::Arrival>(arrival)))}}));
  }
  TellSums(metrics);
  TellTargets(metrics);
  TellEach(metrics);
  TellColdStarts(metrics);
}

void WorkloadMetrics::Begin(WallTime now, bool at_all) {
  now_ = now;
  if (!first_look_) first_look_ = now;
  for (auto& [uid, entry] : entries_) entry.seen = !at_all;
}

std::vector<demand::PodTimeline> WorkloadMetrics::Take(const bento::ObjectRef& workload,
                                                       const WorkloadLook& look) {
  const auto [at, first] = entries_.try_emplace(
      workload.uid, Entry{workload, {}, demand::LeadTimes(*first_look_), now_, true});
  auto& entry = at->second;
  entry.seen = true;
  // What is not decided stays as it was, and so does what is known of its nodes.
  if (look.output.undecided) return {};
  const auto nodes = NodesOf(look, now_);
  auto report = ReportOn(look, nodes);
  if (report != entry.report) entry.changed_at = now_;
  entry.report = std::move(report);
  if (entry.report.state == WorkloadState::kNothingToWarm) return {};
  std::vector<demand::TargetNow> targets;
  targets.reserve(nodes.size());
  for (const auto& node : nodes) targets.push_back(node.now);
  auto news = entry.times.Look(
      {now_, look.models.bento, ObstacleOf(entry.report), targets, look.output.bound});
  if (!news.arrived.empty()) entry.changed_at = now_;
  Observe(news);
  return std::move(news.arrived);
}

void WorkloadMetrics::End() {
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.seen; });
}

void WorkloadMetrics::Observe(const demand::LeadTimes::News& news) const {
  for (const auto& pod : news.arrived) arrivals_[static_cast<std::size_t>(pod.arrival)].Add();
  for (const auto time : news.decision_to_warm) to_warm_.Observe(Seconds(time));
  for (const auto time : news.decision_to_bound) to_bound_.Observe(Seconds(time));
  for (const auto time : news.decision_to_start) to_start_.Observe(Seconds(time));
  for (const auto time : news.lead_to_bound) lead_to_bound_.Observe(Seconds(time));
  for (const auto time : news.lead_to_start) lead_to_start_.Observe(Seconds(time));
}

void WorkloadMetrics::TellSums(Metrics& metrics) {
  metrics.ReadGauges("prewarm_controller_workloads", "Workloads of the cluster, by state", [this] {
    std::array<double, kWorkloadStates> counts{};
    for (const auto& [uid, entry] : entries_) {
      ++counts[static_cast<std::size_t>(entry.report.state)];
    }
    Samples samples;
    for (std::size_t state = 0; state < kWorkloadStates; ++state) {
      const auto name = StateName(static_cast<WorkloadState>(state));
      samples.push_back({{{"state", std::string(name)}}, counts[state]});
    }
    return samples;
  });
  metrics.ReadGauges(
      "prewarm_controller_unresolved_models",
      "Models of workloads for which somebody has to act, by the reason in their Events", [this] {
        std::map<std::string, double> counts;
        for (std::size_t obstacle = 0; obstacle < bento::kObstacles; ++obstacle) {
          counts[std::string(bento::ObstacleName(static_cast<bento::Obstacle>(obstacle)))] = 0;
        }
        for (const auto& [uid, entry] : entries_) {
          for (const auto& [reason, models] : entry.report.unresolved) counts[reason] += models;
        }
        Samples samples;
        for (const auto& [reason, count] : counts) samples.push_back({{{"reason", reason}}, count});
        return samples;
      });
  metrics.ReadGauge("prewarm_controller_workloads_short_of_nodes",
                    "Workloads that want more nodes than can take them", [this] {
                      return static_cast<double>(std::ranges::count_if(
                          entries_, [](const auto& e) { return e.second.report.short_of_nodes; }));
                    });
  metrics.ReadGauges(
      "prewarm_controller_signals", "Workloads for which the signal is in force", [this] {
        Samples samples;
        for (std::size_t signal = 0; signal < demand::kSignalKinds; ++signal) {
          const auto name = demand::SignalName(static_cast<demand::SignalKind>(signal));
          const auto count = std::ranges::count_if(
              entries_, [signal](const auto& e) { return e.second.report.signals[signal]; });
          samples.push_back({{{"signal", std::string(name)}}, static_cast<double>(count)});
        }
        return samples;
      });
}

void WorkloadMetrics::TellTargets(Metrics& metrics) {
  metrics.ReadGauges(
      "prewarm_controller_targets",
      "Nodes chosen for workloads, by the signal that chose them, and whether they are warm "
      "before a pod is bound to them",
      [this] {
        std::map<std::string, TargetCounts, std::less<>> sums;
        for (std::size_t signal = 0; signal < demand::kSignalKinds; ++signal) {
          sums[std::string(demand::SignalName(static_cast<demand::SignalKind>(signal)))] = {};
        }
        for (const auto& [uid, entry] : entries_) {
          for (const auto& [signal, counts] : entry.report.targets) {
            auto& sum = sums[signal];
            for (std::size_t state = 0; state < kTargetStates; ++state) sum[state] += counts[state];
          }
        }
        Samples samples;
        for (const auto& [signal, counts] : sums) {
          for (std::size_t state = 0; state < kTargetStates; ++state) {
            const auto name = StateName(static_cast<TargetState>(state));
            samples.push_back({{{"signal", signal}, {"state", std::string(name)}},
                               static_cast<double>(counts[state])});
          }
        }
        return samples;
      });
}

std::vector<const WorkloadMetrics::Entry*> WorkloadMetrics::Chosen() const {
  std::vector<const Entry*> chosen;
  chosen.reserve(entries_.size());
  for (const auto& [uid, entry] : entries_) chosen.push_back(&entry);
  if (chosen.size() <= kMostWorkloads) return chosen;
  std::ranges::nth_element(chosen, chosen.begin() + kMostWorkloads, std::ranges::greater(),
                           [](const Entry* entry) { return entry->changed_at; });
  chosen.resize(kMostWorkloads);
  return chosen;
}

template <class Read>
ReadSamples WorkloadMetrics::OfEach(Read read) const {
  return [this, read] {
    Samples samples;
    for (const auto* entry : Chosen()) read(*entry, samples);
    return samples;
  };
}

void WorkloadMetrics::TellEach(Metrics& metrics) {
  metrics.ReadGauges("prewarm_controller_workload_state", "1, with the workload's state as a label",
                     OfEach([](const Entry& entry, Samples& samples) {
                       Add(samples, entry.ref, 1, "state", StateName(entry.report.state));
                     }));
  metrics.ReadGauges("prewarm_controller_workload_targets",
                     "Nodes chosen for the workload, by whether they are warm and have a pod",
                     OfEach([](const Entry& entry, Samples& samples) {
                       const auto counts = entry.report.Targets();
                       for (std::size_t state = 0; state < kTargetStates; ++state) {
                         Add(samples, entry.ref, counts[state], "state",
                             StateName(static_cast<TargetState>(state)));
                       }
                     }));
  metrics.ReadGauges("prewarm_controller_workload_planned_bytes",
                     "Bytes that are to be visible for the workload, all nodes together",
                     OfEach([](const Entry& entry, Samples& samples) {
                       Add(samples, entry.ref, static_cast<double>(entry.report.planned_bytes));
                     }));
  metrics.ReadGauges("prewarm_controller_workload_visible_bytes",
                     "Bytes of them on nodes where all are visible",
                     OfEach([](const Entry& entry, Samples& samples) {
                       Add(samples, entry.ref, static_cast<double>(entry.report.visible_bytes));
                     }));
}

void WorkloadMetrics::TellColdStarts(Metrics& metrics) {
  metrics.ReadCounters("prewarm_controller_workload_pods_bound_total",
                       "Pods of the workload that were bound, by how they found their node",
                       OfEach([](const Entry& entry, Samples& samples) {
                         for (std::size_t arrival = 0; arrival < demand::kArrivals; ++arrival) {
                           Add(samples, entry.ref,
                               static_cast<double>(entry.times.arrivals()[arrival]), "arrival",
                               demand::ArrivalName(static_cast<demand::Arrival>(arrival)));
                         }
                       }));
  metrics.ReadGauges(
      "prewarm_controller_workload_cold_start_seconds",
      "Of the pod that was bound last: time from the decision to warm its node until it was so, "
      "and the pod was bound and started",
      OfEach([](const Entry& entry, Samples& samples) {
        const auto* pod = entry.times.Newest();
        if (pod == nullptr || !pod->decided_at) return;
        const auto add = [&](const char* stage, std::optional<WallTime> at) {
          // What was there when it was decided took no time.
          if (at)
            Add(samples, entry.ref, std::max(Seconds(*at - *pod->decided_at), 0.0), "stage", stage);
        };
        add("warm", pod->warm_at);
        add("bound", pod->bound_at);
        add("started", pod->started_at);
      }));
  metrics.ReadGauges("prewarm_controller_workload_warm_lead_seconds",
                     "Of the pod that was bound last: how long before it was bound, and started, "
                     "its node was warm; negative: so much too late",
                     OfEach([](const Entry& entry, Samples& samples) {
                       const auto* pod = entry.times.Newest();
                       if (pod == nullptr) return;
                       const auto add = [&](const char* until, auto lead) {
                         if (lead) Add(samples, entry.ref, Seconds(*lead), "until", until);
                       };
                       add("bound", pod->LeadToBound());
                       add("started", pod->LeadToStart());
                     }));
  metrics.ReadGauges("prewarm_controller_workload_least_lead_seconds",
                     "The least lead of all pods of the workload that are there",
                     OfEach([](const Entry& entry, Samples& samples) {
                       if (const auto least = entry.times.LeastLead()) {
                         Add(samples, entry.ref, Seconds(*least));
                       }
                     }));
}

}  // namespace prewarm::controller
