// The Redis protocol as bytes in, values out; no sockets. hiredis does the parsing and formatting;
// what a hostile or broken server may make us allocate is bounded here.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/redis_reply.h"

namespace prewarm::net {

using RedisCommand = std::vector<std::string>;  // name and arguments, raw bytes

// Appends the command as it goes over the wire. At least the name must be there.
void AppendRedisCommand(const RedisCommand& command, std::string& wire);

class RedisReplyReader {
 public:
  struct Limits {
    // Far above what the largest command of ours can bring (a directory page of 10,000 names).
    std::size_t reply_bytes = 64U << 20;
    // Elements of one reply, nested ones included: an element may cost four bytes on the wire, but
    // 72 in memory.
    std::size_t elements = 1U << 20;
  };

  RedisReplyReader();
  explicit RedisReplyReader(Limits limits);
  RedisReplyReader(const RedisReplyReader&) = delete;
  RedisReplyReader& operator=(const RedisReplyReader&) = delete;
  ~RedisReplyReader();

  // Takes bytes as they come, cut anywhere, and appends the replies they complete to `replies`.
  // kCorrupt: not the Redis protocol, nested deeper than hiredis follows (8 levels), or over a
  // limit; replies completed before are in `replies`, and every later call fails too.
  Status Feed(std::span<const std::byte> bytes, std::vector<RedisReply>& replies);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace prewarm::net
