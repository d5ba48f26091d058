#include "agent/link/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <fstream>

namespace prewarm::agent {
namespace {

constexpr int kMessageLimit = 4 << 20;
constexpr unsigned kReadFilesEvery = 1;  // seconds
// A controller that stopped without a word is noticed within twice this.
constexpr int kPingMilliseconds = 5000;
// The link has its own backoff; the channel must not add one that is not jittered.
constexpr int kDialMilliseconds = 100;

Result<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const ControllerAddress& controller) {
  if (controller.insecure_loopback) return grpc::InsecureChannelCredentials();
  for (const auto& path : {controller.ca_file, controller.certificate_file, controller.key_file}) {
    if (!std::ifstream(path).good()) {
      return Fail(ErrorCode::kInvalidConfig, "cannot read " + path);
    }
  }
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          controller.key_file, controller.certificate_file, controller.ca_file, kReadFilesEvery));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

Result<std::shared_ptr<grpc::Channel>> OpenChannel(const ControllerAddress& controller,
                                                   const std::string& address) {
  TRY(const auto credentials, Credentials(controller));
  grpc::ChannelArguments arguments;
  if (!controller.server_name.empty()) arguments.SetSslTargetNameOverride(controller.server_name);
  arguments.SetMaxReceiveMessageSize(kMessageLimit);
  arguments.SetMaxSendMessageSize(kMessageLimit);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingMilliseconds);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kDialMilliseconds);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kPingMilliseconds);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kDialMilliseconds);
  // Not shared with another agent of this process, of which tests have several.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace prewarm::agent
