// One workload from its objects to the prewarms that it should have: what to warm, where, and why.
// Joins the answers of bento/ (what) and demand/ (where and when); what has to be remembered
// between two passes goes in and comes out. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/bento/model_plan.h"
#include "controller/demand/targets.h"
#include "controller/operator/desired.h"

namespace prewarm::controller {

// A component of a workload with the objects that its Deployment has in the cluster.
struct ComponentDemand {
  const bento::Component* component = nullptr;
  const demand::WorkloadObjects* objects = nullptr;
};

struct WorkloadMemory {
  struct OfComponent {
    demand::SignalMemory signals;
    std::set<std::string, std::less<>> nodes;  // of the last answer
  };
  std::optional<WallTime> known_at;
  std::optional<WallTime> seeded_at;
  std::optional<WallTime> ready_at;
  std::string version;  // that the moments are about
  std::map<std::string, OfComponent> components;
};

struct WorkloadInput {
  const bento::Workload& workload;
  const bento::ModelPlan& models;
  std::span<const ComponentDemand> components;
  const demand::Policy& policy;
  const demand::ClusterIndex& cluster;
  const demand::CacheOf& cache_of;
  std::span<const Prewarm> existing;  // unfinished ones of this workload
};

struct WorkloadOutput {
  // Not all of its models were looked up yet: what it has stays as it is.
  bool undecided = false;
  std::vector<DesiredPrewarm> desired;
  std::vector<demand::Signal> signals;    // in force, of all components
  std::vector<const demand::Pod*> bound;  // pods of the newest version that have a node
  std::vector<std::string> unmet;
  std::vector<std::string> problems;  // of the workload's own scheduling part
};

WorkloadOutput PlanWorkload(const WorkloadInput& input, WorkloadMemory& memory);

}  // namespace prewarm::controller
