#include "controller/access/cluster_access.h"

#include <utility>
#include <vector>

#include "controller/kube/kube_client.h"

namespace prewarm::controller {
namespace {

// A thousand agents that come back at the same moment wait for each other instead of being sent
// away; none of them is a stranger for long.
constexpr std::size_t kMostAgentsAsked = 4096;

// Answers every request with the reason why there is no client.
class NoApi final : public kube::KubeApi {
 public:
  explicit NoApi(Error why) : why_(std::move(why)) {}
  Task<Result<kube::KubeAnswer>> Send(kube::KubeRequest) override { co_return why_; }
  Task<Result<kube::KubeAnswer>> Watch(kube::WatchRequest, kube::WatchSink) override {
    co_return why_;
  }

 private:
  const Error why_;
};

std::unique_ptr<kube::KubeApi> ApiOf(const ClusterAccess::Parts& parts,
                                     const kube::KubeConfig& config) {
  auto client = kube::KubeClient::Make(parts.executor, parts.pool, parts.clock, config);
  if (client) return *std::move(client);
  parts.log.Error("cluster_unusable", {{"why", client.error()}});
  return std::make_unique<NoApi>(std::move(client).error());
}

kube::ObjectKey AccountOf(const ClusterAccess::Options& options, const std::string& own) {
  const auto slash = options.agent_account.find('/');
  if (slash == std::string::npos) return {own, options.agent_account};
  return {options.agent_account.substr(0, slash), options.agent_account.substr(slash + 1)};
}

}  // namespace

// Callers may also show a token for the API server, as Prometheus does: it has no other one.
ClusterAccess::ClusterAccess(const Parts& parts, const Options& options,
                             const kube::KubeConfig& kube)
    : api_(ApiOf(parts, kube)),
      caller_tokens_(parts.executor, *api_, parts.clock, {.audiences = {kAudience, ""}}),
      rights_(parts.executor, *api_, parts.clock, {}),
      callers_(parts.file, caller_tokens_, rights_, parts.log),
      agent_tokens_(parts.executor, *api_, parts.clock,
                    {.audiences = {kAudience}, .limits = {.in_flight = kMostAgentsAsked}}),
      agents_(*api_, agent_tokens_,
              AccountOf(options, options.name_space.empty() ? kube.ns : options.name_space)),
      running_(parts.executor) {
  AddMetrics(parts.metrics);
  if (options.pod.empty()) return;
  const auto& own = options.name_space.empty() ? kube.ns : options.name_space;
  label_.emplace(parts.executor, *api_, parts.log, LeaderLabel::Options{.pod = {own, options.pod}});
  running_.Spawn("leader label", label_->Run());
}

void ClusterAccess::AddMetrics(Metrics& metrics) {
  metrics.ReadCounters(
      "prewarm_controller_reviews_total",
      "Questions to the API server: whose a token is (token, agent), what a caller may do "
      "(access).",
      [this] {
        std::vector<MetricSample> samples;
        const auto add = [&samples](const char* kind, const auto& counts) {
          for (const auto& [result, count] :
               {std::pair{"granted", counts.granted}, std::pair{"refused", counts.refused},
                std::pair{"failed", counts.failed}}) {
            samples.push_back({{{"kind", kind}, {"result", result}}, static_cast<double>(count)});
          }
        };
        add("token", caller_tokens_.counts());
        add("agent", agent_tokens_.counts());
        add("access", rights_.counts());
        return samples;
      });
}

void ClusterAccess::SetLeading(bool leads) {
  if (label_) label_->SetLeading(leads);
}

void ClusterAccess::Stop() {
  running_.Stop();
  caller_tokens_.Stop();
  agent_tokens_.Stop();
  rights_.Stop();
}

Task<void> ClusterAccess::Join() {
  co_await running_.Join();
  co_await caller_tokens_.Join();
  co_await agent_tokens_.Join();
  co_await rights_.Join();
}

}  // namespace prewarm::controller
