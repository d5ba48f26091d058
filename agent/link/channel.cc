#include "agent/link/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <fstream>
#include <utility>

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
  using grpc::experimental::FileWatcherCertificateProvider;
  const bool own = !controller.certificate_file.empty();
  for (const auto& path : {controller.ca_file, controller.certificate_file, controller.key_file}) {
    if (!path.empty() && !std::ifstream(path).good()) {
      return Fail(ErrorCode::kInvalidConfig, "cannot read " + path);
    }
  }
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      own ? std::make_shared<FileWatcherCertificateProvider>(controller.key_file,
                                                             controller.certificate_file,
                                                             controller.ca_file, kReadFilesEvery)
          : std::make_shared<FileWatcherCertificateProvider>(controller.ca_file, kReadFilesEvery));
  options.watch_root_certs();
  if (own) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

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

Result<Secret> ReadNodeToken(const std::string& file) {
  // Long enough for any signed token.
  constexpr std::size_t kMostToken = 16 << 10;
  if (file.empty()) return Secret();
  const auto fail = [&file](const char* why) {
    return Fail(ErrorCode::kInvalidConfig, "controller.token-file " + file + " " + why);
  };
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return fail("cannot be read");
  std::string text(kMostToken + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail("cannot be read");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  while (!text.empty() && IsSpace(text.back())) text.pop_back();
  const auto in_header = [](char c) { return c > 0x20 && c < 0x7f; };
  if (text.empty() || text.size() > kMostToken || !std::ranges::all_of(text, in_header)) {
    return fail("does not hold one line with a token");
  }
  return Secret(std::move(text));
}

}  // namespace prewarm::agent
