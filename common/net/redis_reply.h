// One reply of a Redis server as a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace prewarm::net {

struct RedisReply {
  enum class Kind : std::uint8_t { kNil, kString, kStatus, kInteger, kArray, kError };
  Kind kind = Kind::kNil;
  std::string text;  // kString, kStatus, kError
  std::int64_t integer = 0;
  std::vector<RedisReply> elements;  // kArray

  [[nodiscard]] bool is_error() const { return kind == Kind::kError; }
  [[nodiscard]] bool is_nil() const { return kind == Kind::kNil; }
};

}  // namespace prewarm::net
