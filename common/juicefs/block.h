// JuiceFS's units of data. A slice is a written run inside a 64 MiB chunk of a file; a block is at
// most BlockSize bytes of a slice, one object in the store and one file in the cache. A block's key
// names immutable plain bytes. Formats: common/juicefs/README.md, sections "keys" and "slices".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/strong.h"

namespace prewarm::juicefs {

using SliceId = Strong<struct SliceIdTag>;
using Inode = Strong<struct InodeTag>;

inline constexpr std::uint64_t kChunkBytes = 64ULL << 20;
inline constexpr Inode kRootInode{1};

struct BlockId {
  SliceId slice;
  std::uint32_t index = 0;
  std::uint32_t size = 0;  // plain bytes, whatever compression and encryption do to the object

  auto operator<=>(const BlockId&) const = default;
};

// "chunks/…/<slice>_<index>_<size>", the same text in the store (after "<volume name>/"), in the
// cache (after "raw/") and on the hash ring.
std::string BlockKey(BlockId block, bool hash_prefix);

// The block that a base name "<slice>_<index>_<size>" stands for; nothing for any other name.
std::optional<BlockId> ParseBlockName(std::string_view base_name);

}  // namespace prewarm::juicefs
