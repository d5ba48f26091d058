#include "controller/cli/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace prewarm::ctl {
namespace {

// A page of prewarms with all their tasks can be large.
constexpr int kMostMessage = 64 << 20;

// Notices within half a minute that the other side has vanished without a word.
constexpr int kPingEveryMs = 20'000;
constexpr int kPingAnswerMs = 10'000;

Result<std::shared_ptr<grpc::ChannelCredentials>> CredentialsFor(const CtlConfig& config) {
  if (config.insecure) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  if (!config.ca.empty()) {
    std::ifstream file(config.ca, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
      return Fail(ErrorCode::kInvalidConfig,
                  "ca file " + config.ca + ": cannot be read: " + std::strerror(errno));
    }
    options.pem_root_certs = text.str();
  }
  return grpc::SslCredentials(options);
}

ErrorCode CodeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT: return ErrorCode::kInvalidArgument;
    case grpc::StatusCode::NOT_FOUND: return ErrorCode::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::FAILED_PRECONDITION: return ErrorCode::kConflict;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED: return ErrorCode::kPermission;
    // We cancel no call whose end we look at: a server that shuts down did.
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::UNAVAILABLE: return ErrorCode::kUnavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return ErrorCode::kTimeout;
    default: return ErrorCode::kInternal;
  }
}

// Whether the answer is the controller's own, and not gRPC's about a connection.
bool FromController(const grpc::ClientContext& context) {
  return context.GetServerTrailingMetadata().contains("problem-type");
}

}  // namespace

Result<Connection> Connection::Open(const CtlConfig& config, const Clock& clock) {
  TRY(const auto credentials, CredentialsFor(config));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMostMessage);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingAnswerMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Retries are ours: gRPC's own would hide behind each of them.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 3000);
  arguments.SetUserAgentPrefix(std::string("prewarmctl/") + PREWARM_VERSION);
  return Connection(config, clock,
                    v1::PrewarmService::NewStub(
                        grpc::CreateCustomChannel(config.server, credentials, arguments)));
}

Result<std::unique_ptr<grpc::ClientContext>> Connection::NewContext(
    std::optional<Duration> limit) const {
  TRY(const auto token, ReadToken(*config_));
  auto context = std::make_unique<grpc::ClientContext>();
  if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token.Reveal());
  if (!config_->name_space.empty()) {
    context->AddMetadata("prewarm-namespace", config_->name_space);
  }
  if (limit) context->set_deadline(clock_->WallNow() + *limit);
  return context;
}

Error Connection::ToError(const grpc::Status& status, const grpc::ClientContext& context) const {
  const auto code = CodeOf(status.error_code());
  std::string message = status.error_message();
  if (code == ErrorCode::kUnavailable && !FromController(context)) {
    message = "cannot reach the controller at " + config_->server + ": " + message;
  } else if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED && config_->token.empty() &&
             config_->token_file.empty()) {
    message += "\nno token was given: name its file with --token-file, or set PREWARM_TOKEN";
  } else if (code == ErrorCode::kTimeout) {
    message = "the controller at " + config_->server + " did not answer in time: " + message;
  }
  return Fail(code, message);
}

}  // namespace prewarm::ctl
