#include "controller/grpc_port.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server_builder.h>

#include <fstream>

#include "common/base/units.h"

namespace prewarm::controller {
namespace {

constexpr int kMessageLimit = 4 << 20;
constexpr unsigned kReadFilesEvery = 1;  // seconds

bool Readable(const std::string& path) { return std::ifstream(path).good(); }

Result<std::shared_ptr<grpc::ServerCredentials>> Credentials(const ControllerConfig& config) {
  if (config.certificate_file.empty()) return grpc::InsecureServerCredentials();
  namespace tls = grpc::experimental;
  for (const auto& path : {config.certificate_file, config.key_file, config.client_ca_file}) {
    if (!Readable(path)) return Fail(ErrorCode::kInvalidConfig, "cannot read " + path);
  }
  tls::TlsServerCredentialsOptions options(std::make_shared<tls::FileWatcherCertificateProvider>(
      config.key_file, config.certificate_file, config.client_ca_file, kReadFilesEvery));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  // Agents must show a certificate, callers need none: the services ask for what they need.
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

}  // namespace

Result<GrpcPort> OpenGrpcPort(const ControllerConfig& config,
                              const std::vector<grpc::Service*>& services) {
  TRY(const auto credentials, Credentials(config));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  GrpcPort opened;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(config.grpc_listen, credentials, &opened.port);
  for (auto* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(kMessageLimit);
  builder.SetMaxSendMessageSize(kMessageLimit);
  // Two processes must not share the port: whoever comes second is told.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Agents ping a silent connection, so that a stopped process is noticed; both sides allow it.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  opened.server = builder.BuildAndStart();
  if (opened.server == nullptr || opened.port == 0) {
    return Fail(ErrorCode::kInvalidConfig,
                "cannot listen on listen.grpc " + config.grpc_listen +
                    ": is the address of this machine, the port free, and the certificate right?");
  }
  return opened;
}

}  // namespace prewarm::controller
