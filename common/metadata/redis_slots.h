// Which server of a Redis Cluster holds a key. All keys of a volume carry one hash tag, "{N}", so
// one slot and with it one server answers everything.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/metadata/host_port.h"
#include "common/net/redis_reply.h"

namespace prewarm::metadata {

inline constexpr std::uint16_t kRedisSlots = 16384;

// CRC-16/XMODEM: "123456789" gives 0x31c3.
std::uint16_t Crc16(std::string_view bytes);

// The slot of a key: of the text between its first "{" and the next "}" if there is any between
// them, else of the whole key.
std::uint16_t SlotOf(std::string_view key);

struct SlotMap {
  HostPort owner;               // master of the slot that was asked for
  std::vector<HostPort> nodes;  // every server of the cluster, replicas too
};

// Reads an answer to CLUSTER SLOTS. Servers that do not know their own name are the one that was
// `asked`. kUnavailable: nobody owns the slot at present. kCorrupt: not such an answer.
Result<SlotMap> ReadSlotMap(const net::RedisReply& reply, std::uint16_t slot,
                            const HostPort& asked);

}  // namespace prewarm::metadata
