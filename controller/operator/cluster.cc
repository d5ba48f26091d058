#include "controller/operator/cluster.h"

#include <utility>

#include "common/async/deadline.h"
#include "controller/operator/kube_metrics.h"

namespace prewarm::controller {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(20);

bento::BuilderLayout LayoutOf(const Cluster::Options& options) {
  return {.storage_class = options.builder_storage_class, .multi_tenant = {}};
}

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::Make(const Parts& parts, const Options& options,
                                               const kube::KubeConfig& kube) {
  TRY(auto client, kube::KubeClient::Make(parts.executor, parts.pool, parts.clock, kube));
  auto own = options;
  if (own.name_space.empty()) own.name_space = kube.ns;
  return std::unique_ptr<Cluster>(new Cluster(parts, own, std::move(client)));
}

Cluster::Cluster(const Parts& parts, const Options& options,
                 std::unique_ptr<kube::KubeClient> client)
    : clock_(parts.clock),
      log_(parts.log),
      client_(std::move(client)),
      volumes_({parts.executor, *client_, parts.clock, parts.log, parts.volumes, options.name_space,
                [this, &reconciler = parts.reconciler] {
                  reconciler.Wake();
                  operator_.Wake();
                },
                parts.seed + 2}),
      metrics_(parts.metrics),
      operator_({parts.executor, *client_, parts.clock, parts.log, parts.jobs, parts.agents,
                 parts.volumes.map(), parts.reconciler, metrics_, LayoutOf(options),
                 options.workload_kinds, parts.instance, parts.seed}),
      bentos_(operator_.view(), parts.volumes.map(), LayoutOf(options)),
      intake_({parts.executor, *client_, parts.clock, parts.log, parts.jobs, parts.service,
               parts.reconciler, parts.seed + 1}),
      teller_({parts.executor, *client_, parts.clock, parts.log, parts.jobs, parts.service,
               [this](const kube::ObjectKey& key) {
                 const auto* object = intake_.Find(key);
                 return object == nullptr ? std::string() : object->uid;
               },
               parts.instance, parts.seed + 3}),
      node_caches_({parts.executor, *client_, parts.clock, parts.log, parts.jobs, parts.agents,
                    parts.volumes.map(), parts.reconciler, operator_.view(), parts.seed + 4}),
      policies_({parts.executor, *client_, parts.clock, parts.log, operator_.view(),
                 [this](const std::string& uid) { return operator_.NotesOf(uid); }}),
      running_(parts.executor) {
  if (options.mark_nodes) {
    marker_.emplace(NodeMarker::Parts{parts.executor, *client_, parts.clock, parts.log, parts.jobs,
                                      parts.agents, parts.reconciler, operator_.view()});
  }
  Tell(parts.metrics);
}

// Caches are read on the executor that they live on, where metrics are asked as well.
void Cluster::Tell(Metrics& metrics) {
  AddReflectorMetrics(metrics, clock_, [this] {
    auto all = operator_.view().Caches();
    all.insert(all.end(), {&intake_.cache(), &volumes_.cache(), &node_caches_.cache()});
    return all;
  });
  AddEventMetrics(metrics, [this] {
    auto counters = operator_.events().counters();
    const auto more = teller_.events().counters();
    counters.written += more.written;
    counters.dropped += more.dropped;
    counters.failed += more.failed;
    return counters;
  });
}

Task<void> Cluster::Watch() { return volumes_.Watch(); }

Task<void> Cluster::WaitForVolumes(Duration limit) {
  const auto end = clock_.Now() + limit;
  while (!volumes_.complete() && clock_.Now() < end) {
    if (!co_await SleepFor(kLookAgain)) co_return;
  }
  if (!volumes_.complete()) log_.Warn("volumes_unknown", {{"why", volumes_.trouble()}});
}

Task<void> Cluster::Run() {
  running_.Spawn("tell of volumes", volumes_.Tell());
  // A workload must not lose its prewarms because its volume is not known yet.
  while (!volumes_.complete() && co_await SleepFor(kLookAgain)) {
  }
  running_.Spawn("operator", operator_.Run());
  running_.Spawn("intake", intake_.Run());
  running_.Spawn("tell of prewarms", teller_.Run());
  running_.Spawn("tell of nodes", node_caches_.Run());
  running_.Spawn("tell of policies", policies_.Run());
  if (marker_) running_.Spawn("mark nodes", marker_->Run());
  while (co_await SleepFor(std::chrono::hours(1))) {
  }
  running_.Stop();
  co_await running_.Join();
}

}  // namespace prewarm::controller
