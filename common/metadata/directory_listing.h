// What lies at one path of a volume, and if it is a directory, what is in it: for those who have to
// look around before they know which paths they want. VolumeReader::List gives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/juicefs/attribute.h"
#include "common/metadata/node.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {

struct ListedEntry {
  std::string name;  // raw bytes
  juicefs::FileType type = juicefs::FileType::kFile;
  std::uint64_t bytes = 0;  // of a file
  std::string target;       // of a symlink, as it was written; it may lead anywhere or nowhere

  bool operator==(const ListedEntry&) const = default;
};

struct DirectoryListing {
  enum class Kind : std::uint8_t { kAbsent, kFile, kDirectory };

  Kind kind = Kind::kAbsent;
  std::string real_path;             // as Node::path, from the root that was asked under
  std::vector<ListedEntry> entries;  // of a directory; by name, as bytes compare
  std::uint64_t bytes = 0;           // of a file
  bool truncated = false;  // there are more entries; which of them are here is left to chance

  bool operator==(const DirectoryListing&) const = default;
};

// What is at `node`, a file or a directory that a walk has led to. An entry that leads nowhere is
// passed over, as the client does; such a file is kAbsent. Of a directory of more than
// `max_entries` no more is read than they take. kCorrupt names path and inode. `redis` is
// connected.
Task<Result<DirectoryListing>> ListNode(RedisClient& redis, VolumeKeys keys, Node node,
                                        std::size_t max_entries);

}  // namespace prewarm::metadata
