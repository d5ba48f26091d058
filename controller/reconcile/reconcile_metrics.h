// What the reconciler counts.
#pragma once

#include "common/process/metrics.h"

namespace prewarm::controller {

struct ReconcileMetrics {
  explicit ReconcileMetrics(Metrics& metrics)
      : rounds(metrics.AddHistogram("prewarm_controller_reconcile_duration_seconds",
                                    "Time of one round: take in, save, compare, tell",
                                    GrowingBuckets(0.0001, 4, 9))),
        plans(metrics.AddHistogram("prewarm_controller_plan_duration_seconds",
                                   "Time to resolve the paths of a prewarm in the metadata",
                                   GrowingBuckets(0.001, 4, 9))),
        failed_plans(metrics.AddCounter("prewarm_controller_plan_failures_total",
                                        "Resolutions that the metadata did not answer")),
        orders(metrics.AddCounter("prewarm_controller_orders_total", "Tasks ordered from agents")),
        cancels(metrics.AddCounter("prewarm_controller_cancels_total", "Tasks called off")),
        failed_saves(metrics.AddCounter("prewarm_controller_save_failures_total",
                                        "Changes that could not be made durable")) {
    for (const char* state : {"succeeded", "failed", "cancelled", "superseded"}) {
      ended.emplace(state, metrics.AddCounter("prewarm_controller_prewarms_ended_total",
                                              "Prewarms by their final state", {{"state", state}}));
    }
  }

  Histogram rounds;
  Histogram plans;
  Counter failed_plans;
  Counter orders;
  Counter cancels;
  Counter failed_saves;
  std::map<std::string, Counter, std::less<>> ended;  // by state
};

}  // namespace prewarm::controller
