// One page of a directory: how it is asked for, and what the answer says. A directory comes in
// pages so that neither we nor the server hold more than one of a huge one at a time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/juicefs/attribute.h"
#include "common/metadata/node.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {

inline constexpr const char* kFirstPage = "0";
inline constexpr std::size_t kLargestPage = 10'000;  // more would block the server for too long

struct NamedEntry {
  std::string name;  // raw bytes
  juicefs::DirectoryEntry entry;
};

// In no order. An entry may be on several pages; one that came or went meanwhile may be on none.
struct DirectoryPage {
  std::vector<NamedEntry> entries;
  std::string next;  // the cursor of the page that follows; empty after the last one
};

// About `entries` of them, at least one; a small directory comes whole whatever is asked for.
RedisCommand PageCommand(const VolumeKeys& keys, juicefs::Inode directory, std::string cursor,
                         std::size_t entries);

// kCorrupt names directory and entry.
Result<DirectoryPage> ParsePage(const Node& directory, net::RedisReply reply);

}  // namespace prewarm::metadata
