#include "common/metadata/volume_keys.h"

#include <utility>

#include "common/metadata/redis_answers.h"

namespace prewarm::metadata {
namespace {

Error Refusal(const net::RedisReply& reply, const std::string& command) {
  Error error = ErrorOf(reply, "Redis refuses " + command);
  if (reply.text.starts_with("WRONGTYPE")) error.code = ErrorCode::kCorrupt;
  if (reply.text.starts_with("NOPERM")) {
    error.message += "; the user needs +@read and access to the volume's keys";
  }
  return error;
}

}  // namespace

Task<Result<std::vector<net::RedisReply>>> Read(RedisClient& redis,
                                                std::vector<RedisCommand> commands) {
  const std::string command = commands.empty() ? "" : commands.front().front();
  CO_TRY(auto replies, co_await redis.Execute(std::move(commands), kVolumeCallLimit));
  for (const net::RedisReply& reply : replies) {
    if (reply.is_error()) co_return Refusal(reply, command);
  }
  co_return replies;
}

std::string Printable(std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0xf]};
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace prewarm::metadata
