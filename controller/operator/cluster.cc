#include "controller/operator/cluster.h"

#include <utility>

#include "common/async/deadline.h"

namespace prewarm::controller {

Result<std::unique_ptr<Cluster>> Cluster::Make(const Parts& parts, const Options& options,
                                               const kube::KubeConfig& kube) {
  TRY(auto client, kube::KubeClient::Make(parts.executor, parts.pool, parts.clock, kube));
  return std::unique_ptr<Cluster>(new Cluster(parts, options, std::move(client)));
}

Cluster::Cluster(const Parts& parts, const Options& options,
                 std::unique_ptr<kube::KubeClient> client)
    : client_(std::move(client)),
      metrics_(parts.metrics),
      operator_({parts.executor,
                 *client_,
                 parts.clock,
                 parts.log,
                 parts.jobs,
                 parts.agents,
                 parts.volumes,
                 parts.reconciler,
                 metrics_,
                 {.storage_class = options.builder_storage_class, .multi_tenant = {}},
                 parts.instance,
                 parts.seed}),
      intake_({parts.executor, *client_, parts.clock, parts.log, parts.jobs, parts.service,
               parts.seed + 1}),
      running_(parts.executor) {}

Task<void> Cluster::Run() {
  running_.Spawn("operator", operator_.Run());
  running_.Spawn("intake", intake_.Run());
  while (co_await SleepFor(std::chrono::hours(1))) {
  }
  running_.Stop();
  co_await running_.Join();
}

}  // namespace prewarm::controller
