#include "common/metadata/volume_keys.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/metadata/redis_answers.h"

namespace prewarm::metadata {
namespace {

constexpr std::size_t kStringsAtOnce = 4096;  // keys of one MGET, as the client has it

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

Task<Result<std::vector<net::RedisReply>>> ReadStrings(RedisClient& redis,
                                                       std::vector<std::string> names) {
  std::vector<net::RedisReply> values;
  if (names.empty()) co_return values;
  std::vector<RedisCommand> commands;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i % kStringsAtOnce == 0) {
      commands.push_back({"MGET"});
      commands.back().reserve(1 + std::min(kStringsAtOnce, names.size() - i));
    }
    commands.back().push_back(std::move(names[i]));
  }
  CO_TRY(auto replies, co_await Read(redis, std::move(commands)));
  values.reserve(names.size());
  for (net::RedisReply& reply : replies) {
    std::ranges::move(reply.elements, std::back_inserter(values));
  }
  if (values.size() != names.size()) {
    co_return Fail(ErrorCode::kCorrupt, "Redis answered MGET of " + std::to_string(names.size()) +
                                            " keys with " + std::to_string(values.size()) +
                                            " values");
  }
  co_return values;
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
