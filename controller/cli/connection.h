// The way to the controller: a channel, the token on every call, and gRPC's answers as Results.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <prewarm/v1/prewarm.grpc.pb.h>

#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/cli/ctl_config.h"

namespace prewarm::ctl {

class Connection {
 public:
  using Stub = v1::PrewarmService::Stub;

  // Does not connect yet. kInvalidConfig: the file of authorities cannot be read. `config` and
  // `clock` must outlive the connection.
  static Result<Connection> Open(const CtlConfig& config, const Clock& clock);

  Stub& stub() { return *stub_; }

  // One call with the token, and for a call that is not a stream with a deadline.
  Result<std::unique_ptr<grpc::ClientContext>> NewContext(std::optional<Duration> limit) const;

  // A call that has one answer: Call(&Stub::GetPrewarm, request).
  template <class Request, class Response>
  Result<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request) {
    constexpr auto kCallLimit = std::chrono::seconds(30);
    TRY(const auto context, NewContext(kCallLimit));
    Response response;
    const auto status = (*stub_.*method)(context.get(), request, &response);
    if (!status.ok()) return ToError(status, *context);
    return response;
  }

  // kUnavailable and kTimeout may go better next time. The message is for people: what is wrong,
  // with one line for each wrong field, and what to do.
  [[nodiscard]] Error ToError(const grpc::Status& status, const grpc::ClientContext& context) const;

 private:
  Connection(const CtlConfig& config, const Clock& clock, std::unique_ptr<Stub> stub)
      : config_(&config), clock_(&clock), stub_(std::move(stub)) {}

  const CtlConfig* config_;
  const Clock* clock_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace prewarm::ctl
