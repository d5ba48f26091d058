// A KubeApi that a test answers for, request by request; nothing is sent anywhere.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "controller/kube/kube_api.h"

namespace prewarm::controller::kube {

class ScriptedApi final : public KubeApi {
 public:
  std::function<Result<KubeAnswer>(const KubeRequest&)> on_send;
  std::function<Result<KubeAnswer>(const WatchRequest&, const WatchSink&)> on_watch;
  std::vector<KubeRequest> sent;

  Task<Result<KubeAnswer>> Send(KubeRequest request) override {
    sent.push_back(request);
    co_return on_send(request);
  }
  Task<Result<KubeAnswer>> Watch(WatchRequest request, WatchSink sink) override {
    co_return on_watch(request, sink);
  }
};

inline std::string ParameterOf(const Query& query, std::string_view name) {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace prewarm::controller::kube
