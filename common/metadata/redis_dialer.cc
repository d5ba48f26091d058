#include "common/metadata/redis_dialer.h"

#include <chrono>
#include <utility>

#include "common/async/deadline.h"
#include "common/metadata/redis_answers.h"

namespace prewarm::metadata {
namespace {

using net::RedisCommand;
using net::RedisReply;
using Replies = std::vector<RedisReply>;

// For the transport, and again for the log-in: a server that stands still must not use up the time
// in which another takes over.
constexpr std::chrono::seconds kPatience{5};

Error Unreachable(Error error, const std::string& name) {
  switch (error.code) {
    case ErrorCode::kCancelled:
    case ErrorCode::kInvalidConfig: return error;
    case ErrorCode::kPermission:
      error.message +=
          "; check tls-ca-cert-file, tls-cert-file and tls-server-name of the metadata URL";
      break;
    default:
      error.message +=
          "; check host and port of the metadata URL, that the server runs, and that nothing on "
          "the way blocks the connection";
  }
  return std::move(error).Within("cannot reach Redis at " + name);
}

}  // namespace

RedisDialer::RedisDialer(const RedisUrl& url) : url_(url) {}

std::string RedisDialer::NameOf(const HostPort& address) const {
  return url_.mode == RedisUrl::Mode::kUnixSocket ? url_.socket_path : FormatHostPort(address);
}

Result<std::shared_ptr<boost::asio::ssl::context>> RedisDialer::TlsContext() {
  if (!url_.tls || tls_ != nullptr) return tls_;
  TRY(tls_, net::MakeTlsContext({.ca_file = url_.tls->ca_file,
                                 .certificate_file = url_.tls->certificate_file,
                                 .key_file = url_.tls->key_file,
                                 .verify = url_.tls->verify}));
  return tls_;
}

Task<Result<std::unique_ptr<net::Stream>>> RedisDialer::Open(HostPort address) {
  if (url_.mode == RedisUrl::Mode::kUnixSocket) {
    co_return co_await net::ConnectUnix(url_.socket_path, kPatience);
  }
  CO_TRY(auto tls, TlsContext());
  net::Endpoint endpoint{.host = std::move(address.host),
                         .port = address.port,
                         .tls = std::move(tls),
                         .tls_server_name = url_.tls ? url_.tls->server_name : ""};
  co_return co_await WithDeadline(kPatience, "connecting",
                                  net::Connect(std::move(endpoint), kPatience));
}

Task<Result<Replies>> RedisDialer::LogIn(net::RedisConnection& connection, Server server,
                                         std::vector<RedisCommand> first) {
  const bool sentinel = server == Server::kSentinel;
  const Secret& password = sentinel ? url_.sentinel_password : url_.password;
  std::vector<RedisCommand> commands;
  if (!password.empty()) {
    auto& auth = commands.emplace_back(RedisCommand{"AUTH"});
    if (!sentinel && !url_.user.empty()) auth.push_back(url_.user);
    auth.push_back(password.Reveal());
  }
  std::move(first.begin(), first.end(), std::back_inserter(commands));
  if (commands.empty()) co_return Replies();
  CO_TRY(auto replies,
         co_await WithDeadline(kPatience, "the log-in", connection.Pipeline(commands)));
  const std::string where = sentinel ? "SENTINEL_PASSWORD" : "the metadata URL or META_PASSWORD";
  if (!password.empty()) {
    if (replies.front().is_error()) {
      Error error = ErrorOf(replies.front(), "the log-in failed");
      if (!IsRetryable(error.code)) {
        error.code = ErrorCode::kPermission;
        error.message += "; check user and password in " + where;
      }
      co_return error;
    }
    replies.erase(replies.begin());
  }
  for (const RedisReply& reply : replies) {
    if (Judge(reply) == Verdict::kRefused) {
      co_return ErrorOf(reply, "it asks for a password; give it in " + where);
    }
  }
  co_return replies;
}

Task<Result<DialledRedis>> RedisDialer::Dial(HostPort address, Server server,
                                             std::vector<RedisCommand> first) {
  const std::string name = NameOf(address);
  auto stream = co_await Open(address);
  if (!stream) co_return Unreachable(std::move(stream).error(), name);
  DialledRedis dialled{
      .connection = std::make_unique<net::RedisConnection>(
          *std::move(stream),
          net::RedisConnection::Timeouts{.read = url_.read_timeout, .write = url_.write_timeout}),
      .address = std::move(address),
      .replies = {}};
  auto replies = co_await LogIn(*dialled.connection, server, std::move(first));
  if (!replies) {
    Error error = std::move(replies).error();
    const bool silent = error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kCorrupt;
    if (!url_.tls && silent && error.reason != Reason::kServerError) {
      error.message += "; if it expects TLS, write rediss:// in the metadata URL";
    }
    co_return std::move(error).Within("Redis at " + name);
  }
  dialled.replies = *std::move(replies);
  co_return dialled;
}

}  // namespace prewarm::metadata
