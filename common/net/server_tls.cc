#include "common/net/server_tls.h"

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/file_identity.h"
#include "common/async/offload.h"

namespace prewarm::net {
namespace {

using boost::asio::ssl::context;
using boost::system::error_code;
using ContextPointer = std::shared_ptr<context>;

const std::string& KeyFile(const ServerTlsFiles& files) {
  return files.key_file.empty() ? files.certificate_file : files.key_file;
}

std::string IdentityOf(const ServerTlsFiles& files) {
  return FileIdentity(std::array{files.certificate_file, KeyFile(files), files.client_ca_file});
}

Status Checked(const std::string& file, const error_code& error) {
  if (error) return Fail(ErrorCode::kInvalidConfig, file + ": " + error.message());
  return {};
}

Status DemandClientCertificates(context& tls, const std::string& ca_file) {
  error_code error;
  tls.load_verify_file(ca_file, error);
  TRY_STATUS(Checked(ca_file, error));
  tls.set_verify_mode(boost::asio::ssl::verify_peer |
                      boost::asio::ssl::verify_fail_if_no_peer_cert);
  return {};
}

// What one look at the files found.
struct Look {
  std::string seen;
  Result<ContextPointer> context = ContextPointer();  // null: as before
};

}  // namespace

Result<ContextPointer> MakeServerTlsContext(const ServerTlsFiles& files) {
  auto tls = std::make_shared<context>(context::tls_server);
  auto* native = tls->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  // Without resumption: a session kept from before a rotation would skip the check of the client's
  // certificate against the new authority.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(native, 0);
  error_code error;
  tls->use_certificate_chain_file(files.certificate_file, error);
  TRY_STATUS(Checked(files.certificate_file, error));
  tls->use_private_key_file(KeyFile(files), context::pem, error);
  TRY_STATUS(Checked(KeyFile(files), error));
  if (!files.client_ca_file.empty()) {
    TRY_STATUS(DemandClientCertificates(*tls, files.client_ca_file));
  }
  return tls;
}

ServerTls::ServerTls(ServerTlsFiles files, std::string seen, ContextPointer context)
    : files_(std::move(files)), seen_(std::move(seen)), current_(std::move(context)) {}

Result<std::unique_ptr<ServerTls>> ServerTls::Load(ServerTlsFiles files) {
  auto seen = IdentityOf(files);
  TRY(auto context, MakeServerTlsContext(files));
  return std::unique_ptr<ServerTls>(
      new ServerTls(std::move(files), std::move(seen), std::move(context)));
}

Task<void> ServerTls::Follow(boost::asio::thread_pool& pool, Duration period, OnReload on_reload) {
  while (co_await SleepFor(period)) {
    // Looked at before it is read: a change in between is found by the next look.
    auto look = co_await Offload(pool, [files = files_, before = seen_] {
      Look found{IdentityOf(files)};
      if (found.seen != before) found.context = MakeServerTlsContext(files);
      return found;
    });
    if (look.seen == seen_) continue;
    // Also where it cannot be used: certificate and key rarely change in the same instant, and the
    // second of them is another change.
    seen_ = std::move(look.seen);
    if (look.context) current_ = *look.context;
    if (on_reload) on_reload(look.context ? Status() : Status(look.context.error()));
  }
}

}  // namespace prewarm::net
