// One connection to a Redis server. Commands go out while replies come in, so a list of any length
// costs one round trip, and neither side can stall the other by full socket buffers.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/net/redis_codec.h"
#include "common/net/stream.h"

namespace prewarm::net {

class RedisConnection {
 public:
  struct Timeouts {
    Duration read{};   // no byte of a reply for so long
    Duration write{};  // a part of the commands not taken for so long
  };

  RedisConnection(std::unique_ptr<Stream> stream, Timeouts timeouts);

  // Sends the commands and returns their replies in order; `commands` stay alive until then. At
  // most kAheadBytes of commands are unanswered at any time, which bounds what the server must
  // keep. kUnavailable, kTimeout, kCancelled as Stream; kCorrupt: not the Redis protocol. After a
  // failure, and after a stop, the connection is closed: drop it. One call at a time.
  Task<Result<std::vector<RedisReply>>> Pipeline(std::span<const RedisCommand> commands);

  // For a connection that has subscribed: what the server says by itself. Waits at most `patience`
  // for the first of it. Errors as of Pipeline, and as final. One at a time, and no Pipeline.
  Task<Result<std::vector<RedisReply>>> Listen(Duration patience);
  // Also while somebody listens, who then gets the reply.
  Task<Status> Say(RedisCommand command);
  // Whatever is under way ends with an error.
  void Close();

  // Fit for another Pipeline, as far as one can see.
  [[nodiscard]] bool IdleAndOpen() { return !broken_ && stream_->IdleAndOpen(); }

  static constexpr std::size_t kAheadBytes = 1U << 20;

 private:
  struct Exchange;
  Task<Status> Send(Exchange& exchange);
  Task<Status> Receive(Exchange& exchange);
  Status GiveUp(Exchange& exchange, Error error);

  std::unique_ptr<Stream> stream_;
  Timeouts timeouts_;
  RedisReplyReader reader_;
  std::vector<std::byte> buffer_;
  bool broken_ = false;
};

}  // namespace prewarm::net
