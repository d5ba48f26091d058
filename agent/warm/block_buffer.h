// The memory of one block on its way from an object to a cache file: where the stored object is
// received, and where the file image (data, trailer, padding for direct writes) is built. For plain
// volumes both are the same bytes, so that nothing is copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "agent/store/object_store.h"
#include "common/base/result.h"
#include "common/juicefs/block.h"
#include "common/juicefs/block_codec.h"

namespace prewarm::agent {

// Memory as direct writes want it; empty after a move. Touched only when it is used.
class AlignedMemory {
 public:
  AlignedMemory() = default;
  explicit AlignedMemory(std::size_t bytes);  // a multiple of BlockCache::kAlignment

  [[nodiscard]] std::byte* data() const { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> bytes_;
  std::size_t size_ = 0;
};

class BlockBuffer {
 public:
  // For blocks of up to `block_size` bytes.
  BlockBuffer(const juicefs::BlockCodec& codec, std::uint32_t block_size);
  // In memory of BytesNeeded(codec, block_size) bytes.
  BlockBuffer(const juicefs::BlockCodec& codec, std::uint32_t block_size, AlignedMemory memory);
  static std::size_t BytesNeeded(const juicefs::BlockCodec& codec, std::uint32_t block_size);

  // Where to receive the object of `block`; as long as such an object may be at most.
  [[nodiscard]] std::span<std::byte> ObjectSpace(juicefs::BlockId block) const;

  // From the received object to the plain bytes: length, stored checksum, decryption,
  // decompression. kCorrupt: wrong_length, checksum_mismatch, decryption, decompression; the
  // message does not name the block.
  Status Unpack(juicefs::BlockId block, const ObjectBytes& object);
  // The plain bytes; valid after Unpack.
  [[nodiscard]] std::span<std::byte> Data(juicefs::BlockId block) const;
  // Data, trailer and padding, aligned and padded as BlockCache::Stage wants it.
  [[nodiscard]] std::span<std::byte> AddTrailer(juicefs::BlockId block) const;
  // The memory for another buffer; this one is finished.
  AlignedMemory TakeMemory() && { return std::move(memory_); }

 private:
  const juicefs::BlockCodec& codec_;
  AlignedMemory memory_;
  std::span<std::byte> image_;
  std::span<std::byte> object_;  // empty for plain volumes
};

}  // namespace prewarm::agent
