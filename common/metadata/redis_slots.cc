#include "common/metadata/redis_slots.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace prewarm::metadata {
namespace {

using net::RedisReply;
using Kind = RedisReply::Kind;

constexpr std::array<std::uint16_t, 256> MakeTable() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021U : 0U);
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr auto kCrcTable = MakeTable();

Error NotASlotMap() { return Fail(ErrorCode::kCorrupt, "not an answer to CLUSTER SLOTS"); }

// [host, port, …]; the host is nil, "" or "?" where the server does not know its own.
std::optional<HostPort> ReadNode(const RedisReply& node, const HostPort& asked) {
  if (node.elements.size() < 2 || node.elements[1].kind != Kind::kInteger) return std::nullopt;
  const std::int64_t port = node.elements[1].integer;
  if (port < 1 || port > 65535) return std::nullopt;
  const std::string& host = node.elements[0].text;
  return HostPort{.host = host.empty() || host == "?" ? asked.host : host,
                  .port = static_cast<std::uint16_t>(port)};
}

}  // namespace

std::uint16_t Crc16(std::string_view bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc = (crc << 8) ^ kCrcTable[((crc >> 8) ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return static_cast<std::uint16_t>(crc);
}

std::uint16_t SlotOf(std::string_view key) {
  if (const auto open = key.find('{'); open != key.npos) {
    const auto close = key.find('}', open + 1);
    if (close != key.npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  return Crc16(key) % kRedisSlots;
}

Result<SlotMap> ReadSlotMap(const RedisReply& reply, std::uint16_t slot, const HostPort& asked) {
  if (reply.kind != Kind::kArray) return NotASlotMap();
  SlotMap map;
  bool owned = false;
  for (const RedisReply& range : reply.elements) {  // [first, last, master, replica…]
    const auto& parts = range.elements;
    if (parts.size() < 3 || parts[0].kind != Kind::kInteger || parts[1].kind != Kind::kInteger) {
      return NotASlotMap();
    }
    for (std::size_t i = 2; i < parts.size(); ++i) {
      const auto node = ReadNode(parts[i], asked);
      if (!node) return NotASlotMap();
      if (std::ranges::find(map.nodes, *node) == map.nodes.end()) map.nodes.push_back(*node);
      if (i == 2 && parts[0].integer <= slot && slot <= parts[1].integer) {
        map.owner = *node;
        owned = true;
      }
    }
  }
  if (owned) return map;
  return Fail(ErrorCode::kUnavailable,
              "no server of the cluster owns slot " + std::to_string(slot) + " at present",
              Reason::kServerError);
}

}  // namespace prewarm::metadata
