// PrewarmPolicy as a value: how workloads turn into prewarms. The defaults are the policy of a
// cluster that has none. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "controller/demand/labels.h"

namespace prewarm::controller::demand {

struct Triggers {
  bool on_seeded = true;
  bool on_deployment_change = true;
  bool on_forecast = true;
  double forecast_ratio = 0.85;  // of a metric to its target
  std::int32_t forecast_extra_replicas = 1;
  bool on_pending_pod = true;
  bool on_node_join = true;
  bool operator==(const Triggers&) const = default;
};

struct Policy {
  enum class Gate : std::uint8_t { kNone, kStartupTaint };

  std::string name_space;
  std::string name;  // empty: the built-in one
  LabelSelector selector;
  bool suspend = false;
  std::int32_t priority = 100;  // 0 to 1000: what every signal starts from
  Triggers triggers;
  std::map<std::string, std::string> node_selector;  // besides the pods' own constraints
  std::int32_t max_nodes = 0;                        // 0: as many as there are replicas
  std::int32_t keep_nodes = 1;                       // warm even if no replica runs
  std::chrono::nanoseconds keep_after_scale_down = std::chrono::minutes(30);
  Gate gate = Gate::kNone;
  std::chrono::nanoseconds gate_timeout = std::chrono::minutes(5);
  std::vector<std::string> include;  // file patterns; none: all that a loader reads
  std::vector<std::string> exclude;
  bool operator==(const Policy&) const = default;
};

// Of the policies of the workload's namespace that match its labels, the one that demands most
// labels, and of equals the one with the smallest name. Nothing matches: the built-in one,
// Policy{}.
const Policy& PolicyFor(std::string_view name_space, const Labels& workload_labels,
                        std::span<const Policy> policies);

}  // namespace prewarm::controller::demand
