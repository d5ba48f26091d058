// What the controller tells Prometheus about prewarms, nodes and volumes, read at each scrape on
// the control executor.
#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/process/metrics.h"
#include "controller/agents/agent_registry.h"
#include "controller/reconcile/job_table.h"
#include "controller/reconcile/leadership.h"
#include "controller/reconcile/reconciler.h"

namespace prewarm::controller {

struct ControllerMetricSources {
  JobTable& jobs;
  AgentRegistry& agents;
  VolumeMap& volumes;
  Reconciler& reconciler;
  const std::uint64_t& epoch;
  const Leadership& leadership;
  const Clock& clock;
};

void AddControllerMetrics(Metrics& metrics, const ControllerMetricSources& sources);

}  // namespace prewarm::controller
