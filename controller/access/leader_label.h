// The address of the leader: its pod, and no other one, has the label prewarm.dev/leads=true, which
// the Service of the controllers selects. Level-based: whatever labels there are, a round makes
// them right. Lives on one executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <string>

#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/process/log.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/resource.h"

namespace prewarm::controller {

inline constexpr auto kLeadsLabel = "prewarm.dev/leads";

class LeaderLabel {
 public:
  struct Options {
    kube::ObjectKey pod;                         // that this process runs in
    Duration again = std::chrono::seconds(2);    // after a failure
    Duration look = std::chrono::minutes(1);     // in case somebody else changed a label
    Duration request = std::chrono::seconds(5);  // deadline of each request
  };
  // The API outlives this.
  LeaderLabel(const boost::asio::any_io_executor& executor, kube::KubeApi& api, Logger log,
              Options options);

  // Until it is stopped. Begins with taking away what an earlier container of the pod left.
  Task<void> Run();
  // Whether this process leads now. It does not at first.
  void SetLeading(bool leads);

  // Why the label of this pod is not what it should be; empty once it is, and where we may not
  // change it.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  Task<Status> Settle(bool leads);
  Task<Status> Label(std::string pod, bool leads);
  Task<Status> TakeFromOthers();
  void Note(const Status& settled);

  kube::KubeApi& api_;
  const Logger log_;
  const Options options_;
  Signal changed_;
  bool leads_ = false;
  std::string trouble_ = "the label of its pod has not been looked at yet";
  std::string logged_;
};

}  // namespace prewarm::controller
