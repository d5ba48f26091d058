// One NodeCache for each node of the cluster with an agent: made, told and deleted with its Node.
// Lives on the control executor, while this process leads.
//
// An agent that comes or goes and a condition that changes are told at once, other news of a node
// every 30 seconds at most; over all nodes 50 writes a second at most. Nodes at rest are not
// written at all.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/kube/reflector.h"
#include "controller/operator/cluster_view.h"
#include "controller/operator/node_cache_object.h"
#include "controller/operator/status_pacer.h"
#include "controller/reconcile/reconciler.h"

namespace prewarm::controller {

class NodeCaches {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    AgentRegistry& agents;
    VolumeMap& volumes;
    Reconciler& reconciler;
    const ClusterView& view;
    std::uint64_t seed = 0;
  };
  explicit NodeCaches(Parts parts);

  // Until it is stopped.
  Task<void> Run();
  [[nodiscard]] const kube::ReflectorLoop& cache() const { return objects_; }

 private:
  struct Told {
    std::optional<NodeCacheStatus> status;  // by this leader
    bool busy = false;                      // it is being made, written or deleted
  };
  // What there is to say of nodes in this look.
  struct Picture {
    std::map<std::string, std::vector<NodeCacheModel>> models;  // by node
    std::map<std::string, double> seconds;                      // until it is warm
    std::map<std::string, std::string> names;                   // of volumes, by UUID
  };

  struct Wanting {
    std::vector<std::string> notable;
    std::vector<std::string> numbers;
    std::map<std::string, NodeCacheStatus> status;  // of both
  };

  void Look();
  [[nodiscard]] Picture Draw() const;
  void LookAt(const Node& node, Picture& picture, Wanting& wanting);
  void LookForGone();
  // Agents had the time to dial this leader.
  [[nodiscard]] bool Settled() const;
  Task<void> Make(std::string name, std::string node_uid);
  Task<void> Tell(std::string name, NodeCacheStatus status);
  Task<void> Write(std::string name, boost::json::object status,
                   std::optional<NodeCacheStatus> says);
  Task<void> Delete(std::string name);

  Parts parts_;
  kube::Reflector<NodeCacheObject> objects_;
  TaskGroup running_;
  StatusPacer pacer_;    // of numbers
  StatusPacer at_once_;  // of what is notable
  SteadyTime since_{};   // leading
  std::map<std::string, Told> told_;
};

}  // namespace prewarm::controller
