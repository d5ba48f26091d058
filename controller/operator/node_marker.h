// Labels nodes with the workloads that are warm there and takes the gate off new nodes
// (controller/demand/node_marks.h says what and when). Optional: it needs the right to patch Node
// objects. Level-based: every second what is on the nodes is compared with what should be; a node
// is written at most once a second for its marks, and all of them together at most 20 times. Lives
// on the control executor, while this process leads.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/demand/node_marks.h"
#include "controller/operator/cluster_view.h"
#include "controller/operator/status_pacer.h"
#include "controller/reconcile/reconciler.h"

namespace prewarm::controller {

class NodeMarker {
 public:
  // All of them outlive this.
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    AgentRegistry& agents;
    Reconciler& reconciler;
    const ClusterView& view;
  };
  explicit NodeMarker(Parts parts);

  // Until it is stopped.
  Task<void> Run();

 private:
  // What is to be known of one workload: the marks of its Deployments, and the prewarms of its
  // newest version.
  struct OfWorkload {
    std::set<std::string> labels;
    const demand::Policy* policy = nullptr;
    std::map<std::string, const Prewarm*> newest;  // by volume
  };
  // What should be on nodes, by name.
  struct Picture {
    std::map<std::string, demand::NodeWarmth, std::less<>> warmth;
    std::map<std::string, demand::GateWish, std::less<>> wishes;
  };

  void Look();
  [[nodiscard]] Picture Draw(WallTime now) const;
  [[nodiscard]] std::map<std::string, OfWorkload> Workloads(
      const std::vector<demand::Policy>& policies) const;
  void DrawWorkload(const OfWorkload& workload, WallTime now, Picture& picture) const;
  void OpenGate(const demand::Node& node, const Picture& picture, WallTime now);
  Task<void> Mark(std::string node, demand::NodeMarks marks);
  Task<void> Untaint(std::string node, std::string object, std::size_t index, std::string key,
                     std::string why);
  void SayFailed(const std::string& node, const Error& error);

  Parts parts_;
  TaskGroup running_;
  StatusPacer pacer_;
  std::set<std::string> busy_;  // nodes that are being written
  bool forbidden_ = false;      // said once
};

}  // namespace prewarm::controller
