// A KubeApi that tells a meter of every request and watch that goes through it. Lives where the
// KubeApi behind it does, and longer than every call.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/request_kind.h"

namespace prewarm::controller::kube {

struct RequestReport {
  RequestKind kind;
  std::optional<unsigned> status;  // of HTTP; nothing: there was no answer
  Duration took{};                 // to the answer; of a watch until the server took or refused it
};

// Called on the executor of each API that it meters, so from several threads.
class RequestMeter {
 public:
  virtual ~RequestMeter() = default;
  virtual void Done(const RequestReport& report) = 0;
  virtual void WatchOpened(const std::string& resource) = 0;
  virtual void WatchClosed(const std::string& resource) = 0;
};

class MeteredApi final : public KubeApi {
 public:
  // `clock` and `meter` outlive it.
  MeteredApi(std::unique_ptr<KubeApi> api, const Clock& clock, RequestMeter& meter);

  Task<Result<KubeAnswer>> Send(KubeRequest request) override;
  Task<Result<KubeAnswer>> Watch(WatchRequest request, WatchSink sink) override;

 private:
  const std::unique_ptr<KubeApi> api_;
  const Clock& clock_;
  RequestMeter& meter_;
};

}  // namespace prewarm::controller::kube
