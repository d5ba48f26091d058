// Writes into each PrewarmPolicy whether it was understood, for how many workloads it holds, and
// what is to be said of these. Lives on the control executor, while this process leads. One policy
// is written at most every ten seconds, all of them at most ten times a second, and none without
// news.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <set>

#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/operator/cluster_view.h"
#include "controller/operator/status_pacer.h"

namespace prewarm::controller {

class PolicyTeller {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    const ClusterView& view;
    NotesOf notes_of;
  };
  explicit PolicyTeller(Parts parts);

  // Until it is stopped.
  Task<void> Run();

 private:
  void Look();
  Task<void> Write(kube::ObjectKey key, std::string resource_version, PolicyStatus status);

  Parts parts_;
  TaskGroup running_;
  StatusPacer pacer_;
  std::set<kube::ObjectKey> busy_;
};

}  // namespace prewarm::controller
