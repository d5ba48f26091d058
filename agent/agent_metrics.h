// What the daemon tells Prometheus, read from its parts at each scrape. Nothing is counted twice,
// and the parts know nothing of metrics.
#pragma once

#include "agent/link/controller_link.h"
#include "agent/tasks/node_survey.h"
#include "agent/tasks/node_tasks.h"
#include "agent/warm/warm_engine.h"
#include "common/process/metrics.h"

namespace prewarm::agent {

struct MetricSources {
  NodeTasks& tasks;
  WarmEngine& engine;
  const NodeSurvey& survey;
  const ControllerLink& link;
};

// All of it lives as long as the metrics are read, on the control executor.
void AddAgentMetrics(Metrics& metrics, MetricSources sources);

}  // namespace prewarm::agent
