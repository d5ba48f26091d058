// The prewarms that the cluster's workloads should have, and what has to be changed so that they
// do. Pure: a value for what is wanted, a value for the difference.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "controller/plan/model.h"

namespace prewarm::controller {

// The models of one version of a workload on one volume.
struct DesiredPrewarm {
  std::string name_space;
  WorkloadRef workload;
  std::string volume;
  std::string version;              // tag of the Bento, or empty
  std::vector<std::string> paths;   // sorted
  std::vector<NodeTarget> targets;  // sorted by node, each node once
  int priority = 0;                 // the largest of its targets'

  // PrewarmSpec::model of its prewarm: what tells it from all others of the namespace.
  [[nodiscard]] std::string Key() const;
};

// Adds a target; where the node is one already, the more urgent reason stays.
void AddTarget(std::vector<NodeTarget>& targets, NodeTarget target);

struct PrewarmChanges {
  std::vector<DesiredPrewarm> created;
  std::vector<Prewarm> changed;  // with the new specification
  std::vector<Prewarm> dropped;  // wanted no longer
};

// `existing`: unfinished prewarms of workloads. Of several with the same key the oldest stays.
PrewarmChanges Compare(std::span<const DesiredPrewarm> desired, std::span<const Prewarm> existing);

// A new prewarm for it, without id. Its targets get tasks once its paths are resolved.
Prewarm NewPrewarmFor(const DesiredPrewarm& desired, WallTime now);
// "chat-llama3-1f9c2a77": at most 63 characters. Other moments give other names, because the name
// of one that was dropped may still be taken.
std::string NameFor(const DesiredPrewarm& desired, WallTime now);

}  // namespace prewarm::controller
