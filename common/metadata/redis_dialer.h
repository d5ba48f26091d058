// Opens connections to the servers of a metadata engine: transport, TLS, log-in, first commands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/metadata/redis_url.h"
#include "common/net/redis_connection.h"

namespace prewarm::metadata {

// A connection that is logged in, and what the server answered to the first commands.
struct DialledRedis {
  std::unique_ptr<net::RedisConnection> connection;
  HostPort address;
  std::vector<net::RedisReply> replies;
};

class RedisDialer {
 public:
  explicit RedisDialer(const RedisUrl& url);  // keep it alive

  enum class Server { kRedis, kSentinel };  // each has a password of its own

  // Log-in and `first` commands go out together, so this costs one round trip after the transport's
  // own. kPermission: certificate, user or password not accepted; kInvalidConfig: a TLS file;
  // kUnavailable, kTimeout. Messages name the server and say what to check. Replies may be errors,
  // but not such as concern the log-in.
  Task<Result<DialledRedis>> Dial(HostPort address, Server server,
                                  std::vector<net::RedisCommand> first);

  // "host:port" or the socket's path.
  [[nodiscard]] std::string NameOf(const HostPort& address) const;

 private:
  Task<Result<std::unique_ptr<net::Stream>>> Open(HostPort address);
  Task<Result<std::vector<net::RedisReply>>> LogIn(net::RedisConnection& connection, Server server,
                                                   std::vector<net::RedisCommand> first);
  Result<std::shared_ptr<boost::asio::ssl::context>> TlsContext();

  const RedisUrl& url_;
  std::shared_ptr<boost::asio::ssl::context> tls_;  // made once, when first needed
};

}  // namespace prewarm::metadata
