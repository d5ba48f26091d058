// What the operator counts. Lives as workload_metrics.h says.
#pragma once

#include "common/process/metrics.h"
#include "controller/operator/workload_metrics.h"

namespace prewarm::controller {

struct OperatorMetrics {
  explicit OperatorMetrics(Metrics& metrics)
      : rounds(metrics.AddHistogram("prewarm_controller_operator_round_seconds",
                                    "Time of one look at the cluster: read, plan, compare, write",
                                    GrowingBuckets(0.0005, 2, 15))),
        workloads(metrics) {}

  Histogram rounds;
  WorkloadMetrics workloads;
};

}  // namespace prewarm::controller
