#include "controller/kube/metered_api.h"

#include <utility>

namespace prewarm::controller::kube {
namespace {

std::optional<unsigned> StatusOf(const Result<KubeAnswer>& answer) {
  if (!answer) return std::nullopt;
  return answer->status;
}

// What we stopped ourselves says nothing of the server.
bool WasStopped(const Result<KubeAnswer>& answer) {
  return !answer && answer.error().code == ErrorCode::kCancelled;
}

}  // namespace

MeteredApi::MeteredApi(std::unique_ptr<KubeApi> api, const Clock& clock, RequestMeter& meter)
    : api_(std::move(api)), clock_(clock), meter_(meter) {}

Task<Result<KubeAnswer>> MeteredApi::Send(KubeRequest request) {
  auto kind = KindOf(request.method, request.path);
  const auto begin = clock_.Now();
  auto answer = co_await api_->Send(std::move(request));
  if (!WasStopped(answer)) {
    meter_.Done({std::move(kind), StatusOf(answer), clock_.Now() - begin});
  }
  co_return answer;
}

Task<Result<KubeAnswer>> MeteredApi::Watch(WatchRequest request, WatchSink sink) {
  const RequestKind kind{"watch", KindOf(Method::kGet, request.path).resource};
  const auto begin = clock_.Now();
  // A watch is taken once, or twice where its credentials had to be read again.
  bool open = false;
  auto on_open = [&, told = std::move(request.on_open)] {
    meter_.Done({kind, 200, clock_.Now() - begin});
    if (!std::exchange(open, true)) meter_.WatchOpened(kind.resource);
    if (told) told();
  };
  request.on_open = std::move(on_open);
  auto answer = co_await api_->Watch(std::move(request), std::move(sink));
  if (open) {
    meter_.WatchClosed(kind.resource);
  } else if (!WasStopped(answer)) {
    meter_.Done({kind, StatusOf(answer), clock_.Now() - begin});
  }
  co_return answer;
}

}  // namespace prewarm::controller::kube
