#include "controller/kube/kube_identity.h"

#include <array>
#include <utility>

#include "common/async/file_identity.h"
#include "common/async/offload.h"
#include "common/net/stream.h"

namespace prewarm::controller::kube {
namespace {

std::string IdentityOfFiles(const KubeConfig& config) {
  return FileIdentity(
      std::array{config.ca_file, config.certificate_file, config.key_file, config.token_file});
}

Result<Credentials> ReadCredentials(const KubeConfig& config) {
  Credentials credentials;
  credentials.token = config.token;
  if (!config.token_file.empty()) {
    TRY(credentials.token, ReadTokenFile(config.token_file));
  }
  if (!config.tls) return credentials;
  net::TlsOptions options;
  options.ca_file = config.ca_file;
  options.ca_pem = config.ca_pem;
  options.certificate_file = config.certificate_file;
  options.certificate_pem = config.certificate_pem;
  options.key_file = config.key_file;
  options.key_pem = config.key_pem;
  options.verify = config.verify;
  TRY(credentials.tls, net::MakeTlsContext(options));
  return credentials;
}

// What one look at the files found.
struct Found {
  std::string seen;
  Result<Credentials> credentials = Credentials();  // meaningful if `seen` differs
};

}  // namespace

KubeIdentity::KubeIdentity(const boost::asio::any_io_executor& executor,
                           boost::asio::thread_pool& pool, const Clock& clock, KubeConfig config,
                           std::string seen, Credentials credentials)
    : pool_(pool),
      clock_(clock),
      config_(std::move(config)),
      seen_(std::move(seen)),
      current_(std::move(credentials)),
      looked_(clock.Now()),
      look_done_(executor) {}

Result<std::unique_ptr<KubeIdentity>> KubeIdentity::Load(
    const boost::asio::any_io_executor& executor, boost::asio::thread_pool& pool,
    const Clock& clock, const KubeConfig& config) {
  auto seen = IdentityOfFiles(config);
  auto credentials = ReadCredentials(config);
  if (!credentials) return std::move(credentials).error().Within(config.origin);
  return std::unique_ptr<KubeIdentity>(
      new KubeIdentity(executor, pool, clock, config, std::move(seen), *std::move(credentials)));
}

Task<void> KubeIdentity::Look() {
  looking_ = true;
  looked_ = clock_.Now();
  // Looked at before it is read: a change in between is found by the next look.
  auto found = co_await Offload(pool_, [this, before = seen_] {
    Found files{IdentityOfFiles(config_)};
    if (files.seen != before) files.credentials = ReadCredentials(config_);
    return files;
  });
  if (found.seen != seen_ && found.credentials) {
    current_ = *std::move(found.credentials);
    ++generation_;
    seen_ = std::move(found.seen);
  }
  // Files that cannot be used may be half of a change: the old ones stay in force, and as `seen_`
  // stays as well, they are read again at the next look.
  looking_ = false;
  look_done_.Notify();
}

Task<void> KubeIdentity::Refresh(Duration age) {
  if (looking_ || clock_.Now() - looked_ < age) co_return;
  co_await Look();
}

Task<bool> KubeIdentity::Replace(std::uint64_t refused) {
  while (generation_ == refused && looking_) {
    if (!co_await look_done_.Wait()) co_return false;
  }
  if (generation_ == refused) co_await Look();
  co_return generation_ != refused;
}

}  // namespace prewarm::controller::kube
