// What the error replies of a Redis server mean for the one who asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/metadata/host_port.h"
#include "common/net/redis_reply.h"

namespace prewarm::metadata {

enum class Verdict : std::uint8_t {
  kAnswer,     // a value, or an error of this one command (wrong type, no permission for it)
  kWait,       // this server will answer soon: TRYAGAIN, BUSY
  kElsewhere,  // this server is not fit at present, perhaps another is: LOADING, CLUSTERDOWN, …
  kMoved,      // the key lives on another server
  kAsk,        // the key has just gone to another server: ask there, this once
  kRefused,    // our credentials are not accepted
};
Verdict Judge(const net::RedisReply& reply);

// Where "MOVED <slot> <host>:<port>" or "ASK …" points; an empty host means the one that was asked.
std::optional<HostPort> RedirectTarget(std::string_view error, const HostPort& asked);

// An error reply as an Error: kUnavailable if it may pass, kPermission if we lack a right, else
// kInternal. "<what>: <reply>".
Error ErrorOf(const net::RedisReply& reply, const std::string& what);

}  // namespace prewarm::metadata
