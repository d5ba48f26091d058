// A NodeCache, nodecaches.prewarm.dev/v1alpha1: what a node's cache is, as the leader tells it to
// the cluster. The fields are those of deploy/kubernetes/crds.py. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/conditions.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

// What was ordered of the node.
struct NodeCacheModel {
  std::string name_space;
  std::string prewarm;  // its name
  std::string volume;
  TaskState state = TaskState::kWaiting;
  std::uint64_t planned_bytes = 0;
  std::uint64_t done_bytes = 0;  // stored, also what was there before
  bool operator==(const NodeCacheModel&) const = default;
};

struct NodeCacheVolume {
  std::string name;  // empty: not one of ours
  std::string uuid;
  std::uint64_t cached_bytes = 0;
  std::uint64_t visible_bytes = 0;  // of prewarms that are visible; shared blocks count for each
  bool mounted = false;
  std::string adoption;
  bool operator==(const NodeCacheVolume&) const = default;
};

struct NodeCacheStatus {
  bool connected = false;
  std::string agent_version;
  std::optional<WallTime> seen_at;
  std::vector<CacheDirectory> directories;
  std::vector<NodeCacheVolume> volumes;
  std::vector<NodeCacheModel> models;  // sorted by namespace and name
  std::uint64_t running = 0;
  std::uint64_t queued = 0;
  std::optional<std::uint64_t> seconds_until_warm;
  kube::Conditions conditions;  // AgentConnected, Warm
};

struct NodeCacheObject {
  std::string name;
  std::string resource_version;
  bool connected = false;
  kube::Conditions conditions;
};
// Takes any object whatever.
NodeCacheObject ReadNodeCacheObject(const boost::json::object& object);

// What is to be said of a node. `models`: the tasks of it; `names`: of our volumes, by UUID.
NodeCacheStatus NodeCacheOf(const Node& node, std::vector<NodeCacheModel> models,
                            const std::map<std::string, std::string>& names,
                            std::optional<double> seconds_until_warm);

// The same conditions, but for the agent, which is away.
kube::Conditions AwayConditions(const kube::Conditions& told);

// How the second differs from the first, which was told. Moments and forecasts alone are no
// difference, and neither is room on a disk that moved by less than a hundredth of it: a node at
// rest has nothing to say.
enum class NodeCacheNews : std::uint8_t {
  kNone,
  kNumbers,
  kNotable,  // the agent came or went, or a condition changed: to be told at once
};
NodeCacheNews NewsIn(const NodeCacheStatus& told, const NodeCacheStatus& now);

// The whole of `status`.
boost::json::object NodeCacheStatusObject(const NodeCacheStatus& status);

}  // namespace prewarm::controller
