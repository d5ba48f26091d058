#include "agent/warm/block_buffer.h"

#include <cstdlib>
#include <string>

#include "agent/cache/block_cache.h"
#include "common/base/check.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t RoundUp(std::size_t bytes) {
  constexpr auto kAlignment = BlockCache::kAlignment;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t ImageBytes(std::uint32_t data_bytes) {
  return RoundUp(data_bytes + juicefs::TrailerBytes(data_bytes));
}

std::size_t ObjectBytesNeeded(const juicefs::BlockCodec& codec, std::uint32_t block_size) {
  return codec.identity() ? 0 : RoundUp(codec.MaxObjectBytes(block_size));
}

}  // namespace

void AlignedMemory::Free::operator()(std::byte* memory) const { std::free(memory); }

AlignedMemory::AlignedMemory(std::size_t bytes)
    : bytes_(static_cast<std::byte*>(std::aligned_alloc(BlockCache::kAlignment, bytes))),
      size_(bytes) {
  PREWARM_CHECK(bytes_ != nullptr, "no memory for a block buffer within the budget");
}

std::size_t BlockBuffer::BytesNeeded(const juicefs::BlockCodec& codec, std::uint32_t block_size) {
  return ImageBytes(block_size) + ObjectBytesNeeded(codec, block_size);
}

BlockBuffer::BlockBuffer(const juicefs::BlockCodec& codec, std::uint32_t block_size)
    : BlockBuffer(codec, block_size, AlignedMemory(BytesNeeded(codec, block_size))) {}

BlockBuffer::BlockBuffer(const juicefs::BlockCodec& codec, std::uint32_t block_size,
                         AlignedMemory memory)
    : codec_(codec), memory_(std::move(memory)) {
  PREWARM_CHECK(memory_.size() == BytesNeeded(codec, block_size), "memory of another block size");
  image_ = {memory_.data(), ImageBytes(block_size)};
  object_ = {memory_.data() + image_.size(), memory_.size() - image_.size()};
}

std::span<std::byte> BlockBuffer::ObjectSpace(juicefs::BlockId block) const {
  return codec_.identity() ? Data(block) : object_.first(codec_.MaxObjectBytes(block.size));
}

Status BlockBuffer::Unpack(juicefs::BlockId block, const ObjectBytes& object) {
  const auto stored = ObjectSpace(block).first(object.size);
  if (codec_.identity() && object.size != block.size) {
    return Fail(ErrorCode::kCorrupt,
                "the object has " + std::to_string(object.size) + " bytes, its key says " +
                    std::to_string(block.size),
                Reason::kWrongLength);
  }
  if (object.crc32c && juicefs::Crc32c(stored) != *object.crc32c) {
    return Fail(ErrorCode::kCorrupt, "the bytes do not match the object's checksum",
                Reason::kChecksumMismatch);
  }
  return codec_.identity() ? Status() : codec_.Decode(stored, Data(block));
}

std::span<std::byte> BlockBuffer::Data(juicefs::BlockId block) const {
  return image_.first(block.size);
}

std::span<std::byte> BlockBuffer::AddTrailer(juicefs::BlockId block) const {
  juicefs::WriteTrailer(Data(block), image_.subspan(block.size, juicefs::TrailerBytes(block.size)));
  return image_.first(ImageBytes(block.size));
}

}  // namespace prewarm::agent
