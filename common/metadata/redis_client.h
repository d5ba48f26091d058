// A metadata engine in any of the forms that JuiceFS knows (standalone, unix socket, Sentinel,
// Cluster, each with TLS and ACL users), behind one call.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/metadata/redis_url.h"
#include "common/net/redis_codec.h"
#include "common/net/redis_reply.h"

namespace prewarm::metadata {

using net::RedisCommand;
class RedisDialer;
struct DialledRedis;

class RedisClient {
 public:
  virtual ~RedisClient() = default;

  // Sends all commands without waiting in between and returns their replies in order. Connects, and
  // after a failure reconnects (finding the present primary), by itself, within `limit` altogether.
  // Replies may be Redis errors of a single command (wrong type, NOPERM): those are values in the
  // list. kUnavailable/kTimeout: no primary could be reached in time; kPermission: wrong password
  // or no right to connect. Lives on one executor; one call at a time.
  virtual Task<Result<std::vector<net::RedisReply>>> Execute(std::vector<RedisCommand> commands,
                                                             Duration limit) = 0;

  // What every key starts with: "" or "{N}" in a cluster. Valid after the first Execute or Connect.
  [[nodiscard]] virtual std::string_view key_prefix() const = 0;
  // Connects now, so that a wrong address or password shows before anything else is done.
  virtual Task<Status> Connect(Duration limit) = 0;
};

// Told about the connection that a client reads over. Reads over one connection come after Opened
// and before Dropped of it.
class LinkObserver {
 public:
  virtual ~LinkObserver() = default;
  // A new connection, before anything is read over it; may use it. It cannot fail: what goes wrong
  // on the connection shows at the first read.
  virtual Task<void> Opened(RedisDialer& dialer, DialledRedis& link) = 0;
  virtual void Dropped() = 0;
  // A key on its way from one server to another was read over a connection of its own.
  virtual void ReadElsewhere() = 0;
};

// Does not connect yet. The observer, if any, outlives the client.
std::unique_ptr<RedisClient> MakeRedisClient(RedisUrl url, const Clock& clock,
                                             LinkObserver* observer = nullptr);

}  // namespace prewarm::metadata
