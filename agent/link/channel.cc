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
// How long one attempt to connect may take. A second one is not made by this channel.
constexpr int kDialMilliseconds = 10'000;

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

Result<std::vector<ControllerRoute>> ControllerRoute::To(const ControllerAddress& controller) {
  std::vector<ControllerRoute> routes;
  if (controller.addresses.empty()) return routes;
  TRY(const auto credentials, Credentials(controller));
  for (const auto& address : controller.addresses) {
    auto& route = routes.emplace_back();
    route.address_ = address;
    route.server_name_ = controller.server_name;
    route.credentials_ = credentials;
  }
  return routes;
}

std::shared_ptr<grpc::Channel> ControllerRoute::Dial() const {
  grpc::ChannelArguments arguments;
  if (!server_name_.empty()) arguments.SetSslTargetNameOverride(server_name_);
  arguments.SetMaxReceiveMessageSize(kMessageLimit);
  arguments.SetMaxSendMessageSize(kMessageLimit);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingMilliseconds);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kDialMilliseconds);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kDialMilliseconds);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return grpc::CreateCustomChannel(address_, credentials_, arguments);
}

}  // namespace prewarm::agent
