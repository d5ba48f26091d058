// What Prometheus is told of workloads: how they are, how early their nodes were warm, and the same
// for single workloads, of which there may be thousands. So only the kMostWorkloads that changed
// last have series of their own, and a workload's series end with it; what is counted of one that
// has no series for a while goes on. The labels are workload_namespace, workload_kind and workload,
// because scrapers in a cluster set a label `namespace` themselves: that of our own pod.
//
// Lives on the control executor, where it is read as well.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/process/metrics.h"
#include "controller/bento/objects.h"
#include "controller/operator/workload_report.h"

namespace prewarm::controller {

class WorkloadMetrics {
 public:
  static constexpr std::size_t kMostWorkloads = 500;

  // Read by `metrics`, so it must live as long as somebody asks those.
  explicit WorkloadMetrics(Metrics& metrics);
  WorkloadMetrics(const WorkloadMetrics&) = delete;
  WorkloadMetrics& operator=(const WorkloadMetrics&) = delete;

  // One look at workloads: each of them between Begin and End. If it is one at all, those that are
  // missing are gone. Pods that were bound before the first look are not judged.
  void Begin(WallTime now, bool at_all = true);
  // The pods that were bound since the last look, judged.
  std::vector<demand::PodTimeline> Take(const bento::ObjectRef& workload, const WorkloadLook& look);
  void End();

 private:
  struct Entry {
    bento::ObjectRef ref;
    WorkloadReport report;
    demand::LeadTimes times;
    WallTime changed_at;
    bool seen = true;
  };
  using Entries = std::map<std::string, Entry>;  // by uid

  void TellSums(Metrics& metrics);
  void TellTargets(Metrics& metrics);
  void TellEach(Metrics& metrics);
  void TellColdStarts(Metrics& metrics);
  void Observe(const demand::LeadTimes::News& news) const;
  // The workloads that have series.
  [[nodiscard]] std::vector<const Entry*> Chosen() const;
  template <class Read>
  ReadSamples OfEach(Read read) const;

  Histogram to_warm_;
  Histogram to_bound_;
  Histogram to_start_;
  Histogram lead_to_bound_;
  Histogram lead_to_start_;
  std::vector<Counter> arrivals_;  // by Arrival
  Entries entries_;
  WallTime now_;
  std::optional<WallTime> first_look_;
};

}  // namespace prewarm::controller
