// Who callers and agents are, and where the leader is, in a cluster: everything that is asked of
// the API server whether or not this process leads. It has connections of its own, so that neither
// strangers nor the operator's lists can keep the other waiting. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/process/log.h"
#include "common/process/metrics.h"
#include "controller/access/access_reviews.h"
#include "controller/access/agent_tokens.h"
#include "controller/access/cluster_authenticator.h"
#include "controller/access/leader_label.h"
#include "controller/access/token_reviews.h"
#include "controller/kube/kube_config.h"

namespace prewarm::controller {

class ClusterAccess {
 public:
  // All of them outlive this.
  struct Parts {
    boost::asio::any_io_executor executor;
    boost::asio::thread_pool& pool;  // reads files
    const Clock& clock;
    Logger& log;
    Metrics& metrics;
    const Authenticator* file;  // of tokens; may be null
  };
  struct Options {
    std::string name_space;     // of the controllers; empty: that of `kube`
    std::string agent_account;  // service account of the agents: "name" there, or "namespace/name"
    std::string pod;            // that we run in; empty: none, and nothing is labelled
  };
  // Blocks on the files of `kube`. Where they cannot be used, nobody is let in, and the log says
  // why.
  ClusterAccess(const Parts& parts, const Options& options, const kube::KubeConfig& kube);

  [[nodiscard]] Authenticator& callers() { return callers_; }
  [[nodiscard]] AgentProof& agents() { return agents_; }

  void SetLeading(bool leads);
  // Why this process should get no traffic yet as one that stands by; empty: nothing keeps it.
  [[nodiscard]] std::string trouble() const { return label_ ? label_->trouble() : ""; }

  // To end: both, on the control executor.
  void Stop();
  Task<void> Join();

 private:
  void AddMetrics(Metrics& metrics);

  const std::unique_ptr<kube::KubeApi> api_;
  TokenReviews caller_tokens_;
  AccessReviews rights_;
  ClusterAuthenticator callers_;
  TokenReviews agent_tokens_;
  AgentTokens agents_;
  std::optional<LeaderLabel> label_;
  TaskGroup running_;
};

}  // namespace prewarm::controller
