#include "common/juicefs/hash.h"

#include <bit>
#include <cstddef>

namespace prewarm::juicefs {
namespace {

constexpr std::uint32_t kFnvOffset = 2166136261U;
constexpr std::uint32_t kFnvPrime = 16777619U;

std::uint32_t Byte(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint32_t LittleEndian32(std::string_view bytes, std::size_t at) {
  return Byte(bytes, at) | Byte(bytes, at + 1) << 8 | Byte(bytes, at + 2) << 16 |
         Byte(bytes, at + 3) << 24;
}

std::uint32_t MixWord(std::uint32_t word) {
  return std::rotl(word * 0xcc9e2d51U, 15) * 0x1b873593U;
}

}  // namespace

std::uint32_t Murmur3_32(std::string_view bytes) {
  std::uint32_t hash = 0;
  const std::size_t whole_words = bytes.size() & ~std::size_t{3};
  for (std::size_t at = 0; at < whole_words; at += 4) {
    hash = std::rotl(hash ^ MixWord(LittleEndian32(bytes, at)), 13) * 5 + 0xe6546b64U;
  }
  std::uint32_t tail = 0;
  for (std::size_t at = bytes.size(); at > whole_words; --at)
    tail = tail << 8 | Byte(bytes, at - 1);
  hash ^= MixWord(tail);  // a tail of nothing mixes to zero
  hash ^= static_cast<std::uint32_t>(bytes.size());
  hash = (hash ^ hash >> 16) * 0x85ebca6bU;
  hash = (hash ^ hash >> 13) * 0xc2b2ae35U;
  return hash ^ hash >> 16;
}

std::uint32_t Fnv1_32(std::string_view bytes) {
  std::uint32_t hash = kFnvOffset;
  for (std::size_t at = 0; at < bytes.size(); ++at) hash = hash * kFnvPrime ^ Byte(bytes, at);
  return hash;
}

std::uint32_t Fnv1a_32(std::string_view bytes) {
  std::uint32_t hash = kFnvOffset;
  for (std::size_t at = 0; at < bytes.size(); ++at) hash = (hash ^ Byte(bytes, at)) * kFnvPrime;
  return hash;
}

}  // namespace prewarm::juicefs
