// Says what is wrong with a cached block, exactly one finding each, by reading it as the client
// would: size first, then every 32 KiB against its CRC-32C.
//
// Data or trailer? A piece that disagrees with its CRC proves that one of the two is damaged, not
// which. The difference `computed ^ stored` tells. CRC-32C finds every damage of up to 3 bits in
// 32 KiB, so damaged data changes the whole 32-bit sum: that the change stays inside one of the
// four trailer bytes has a probability below 4 * 255 / 2^32 < 2^-22 for any other damage. A trailer
// byte that rotted changes exactly one byte. So a difference confined to one byte in every bad
// piece is reported as trailer damage, anything else as data damage. With the store's bytes at hand
// no guess is needed: data that equals them makes it the trailer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cache/block_cache.h"

namespace prewarm::agent {

enum class BlockFinding : std::uint8_t {
  kWhole,
  kWholeWithoutTrailer,  // data alone, as a client with checksums off writes it: nothing to check
  kAbsent,
  kTooShort,        // amount: bytes missing to data + trailer
  kTooLong,         // amount: bytes behind data + trailer
  kLinkCount,       // amount: the count; above 1 the client takes it for a block not yet uploaded
  kNotAFile,        // a folder, pipe, symlink...
  kDataDamaged,     // amount: pieces that disagree with their sum (0 if only the store disagrees)
  kTrailerDamaged,  // amount: pieces
  kOtherBytes,      // right trailer over bytes that are not the store's
  kReadError,
};

// Stable label: "whole", "too_short", ...
std::string_view FindingName(BlockFinding finding);

struct BlockReport {
  juicefs::BlockId block;
  BlockFinding finding = BlockFinding::kAbsent;
  std::uint64_t amount = 0;
  std::string detail;  // one sentence for a person; empty for whole and absent blocks
  std::string note;    // odd but harmless to the bytes: mode or owner

  // The client will serve it, and serve the right bytes as far as was checked.
  [[nodiscard]] bool Good() const {
    return finding == BlockFinding::kWhole || finding == BlockFinding::kWholeWithoutTrailer;
  }
};

using StoreBytes = std::optional<std::span<const std::byte>>;

// Looks at an open file. `buffer` is grown to data + trailer and may be reused for the next block.
BlockReport InspectBlockFile(int fd, juicefs::BlockId block, std::vector<std::byte>& buffer,
                             StoreBytes store = std::nullopt);

// Looks the block up in the cache and inspects it. Blocks: call it from a disk pool, with a buffer
// of the calling thread's own.
BlockReport VerifyBlock(BlockCache& cache, juicefs::BlockId block, std::vector<std::byte>& buffer,
                        StoreBytes store = std::nullopt);
BlockReport VerifyBlock(BlockCache& cache, juicefs::BlockId block, StoreBytes store = std::nullopt);

}  // namespace prewarm::agent
