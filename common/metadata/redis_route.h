// The way to the server that answers for a volume at present. One attempt at a time: repeating,
// waiting and deadlines are the caller's.
#pragma once

#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/metadata/redis_dialer.h"
#include "common/metadata/redis_url.h"

namespace prewarm::metadata {

class RedisRoute {
 public:
  virtual ~RedisRoute() = default;
  // A connection, logged in and with the database selected, to the server that answers now. Errors
  // as RedisDialer::Dial; kUnavailable also while a fail-over is going on.
  virtual Task<Result<DialledRedis>> Find() = 0;
  // What keys start with. Valid after a Find that succeeded.
  [[nodiscard]] virtual std::string key_prefix() const { return ""; }
  // A server said that the volume's keys are at `address` now.
  virtual void Redirect(const HostPort& /*address*/) {}
};

// `url` and `dialer` outlive the route.
std::unique_ptr<RedisRoute> MakeSingleRoute(const RedisUrl& url, RedisDialer& dialer);
std::unique_ptr<RedisRoute> MakeSentinelRoute(const RedisUrl& url, RedisDialer& dialer);
std::unique_ptr<RedisRoute> MakeClusterRoute(const RedisUrl& url, RedisDialer& dialer);
std::unique_ptr<RedisRoute> MakeRoute(const RedisUrl& url, RedisDialer& dialer);

// Checks the answer to SELECT. kInvalidArgument: the server has no database of that number.
Status CheckSelect(const net::RedisReply& reply, const RedisUrl& url, const std::string& server);

}  // namespace prewarm::metadata
