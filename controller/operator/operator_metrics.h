// What the operator counts. Thread-safe, as its parts are.
#pragma once

#include "common/process/metrics.h"

namespace prewarm::controller {

struct OperatorMetrics {
  explicit OperatorMetrics(Metrics& metrics)
      : rounds(metrics.AddHistogram("prewarm_controller_operator_round_seconds",
                                    "Time of one look at the cluster: read, plan, compare, write",
                                    GrowingBuckets(0.0005, 2, 15))) {}

  Histogram rounds;
};

}  // namespace prewarm::controller
