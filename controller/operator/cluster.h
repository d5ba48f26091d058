// Everything that this process does with a Kubernetes cluster besides keeping its prewarms there:
// the client, and the loops that run while it leads. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "controller/bento/workload_mapping.h"
#include "controller/kube/kube_client.h"
#include "controller/operator/bento_lookup.h"
#include "controller/operator/bento_operator.h"
#include "controller/operator/node_caches.h"
#include "controller/operator/node_marker.h"
#include "controller/operator/policy_teller.h"
#include "controller/operator/prewarm_intake.h"
#include "controller/operator/prewarm_teller.h"
#include "controller/operator/volume_objects.h"
#include "controller/reconcile/service.h"

namespace prewarm::controller {

class Cluster {
 public:
  // All of them outlive the cluster.
  struct Parts {
    boost::asio::any_io_executor executor;
    boost::asio::thread_pool& pool;  // reads files
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    AgentRegistry& agents;
    VolumeTable& volumes;
    Reconciler& reconciler;
    ControllerService& service;
    Metrics& metrics;
    std::string instance;  // name of this process in Events
    std::uint64_t seed = 0;
  };
  struct Options {
    std::string name_space;  // our own; empty: that of `kube`
    std::string builder_storage_class;
    bool mark_nodes = false;
    std::vector<bento::WorkloadMapping> workload_kinds;
  };
  // Blocks on the files of `kube`. kInvalidConfig names the one that cannot be used.
  static Result<std::unique_ptr<Cluster>> Make(const Parts& parts, const Options& options,
                                               const kube::KubeConfig& kube);

  // What a standby needs to know as well: the volumes. Until it is stopped.
  Task<void> Watch();
  // Until the volumes of the cluster are known, or the limit has passed: before that a prewarm
  // would be taken for one of a volume that does not exist.
  Task<void> WaitForVolumes(Duration limit);
  // Until it is stopped; begun once this process leads and its prewarms are loaded.
  Task<void> Run();
  // For callers of the API that name a Bento.
  [[nodiscard]] BentoResolver& bentos() { return bentos_; }

 private:
  Cluster(const Parts& parts, const Options& options, std::unique_ptr<kube::KubeClient> client);
  void Tell(Metrics& metrics);

  const Clock& clock_;
  Logger& log_;
  const std::unique_ptr<kube::KubeClient> client_;
  VolumeObjects volumes_;
  OperatorMetrics metrics_;
  BentoOperator operator_;
  BentoLookup bentos_;
  PrewarmIntake intake_;
  PrewarmTeller teller_;
  NodeCaches node_caches_;
  PolicyTeller policies_;
  std::optional<NodeMarker> marker_;  // nothing: nodes are not to be marked
  TaskGroup running_;
};

}  // namespace prewarm::controller
