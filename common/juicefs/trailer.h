// The checksum trailer of a cached block: CRC-32C of every 32 KiB of the data, big-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace prewarm::juicefs {

inline constexpr std::size_t kTrailerPieceBytes = 32 << 10;

// CRC-32C (Castagnoli) as commonly written: Crc32c("123456789") == 0xe3069283.
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t continue_from = 0);

constexpr std::size_t TrailerBytes(std::uint64_t data_bytes) {
  return static_cast<std::size_t>((data_bytes + kTrailerPieceBytes - 1) / kTrailerPieceBytes) * 4;
}

// Writes TrailerBytes(data.size()) bytes to the front of `trailer`.
void WriteTrailer(std::span<const std::byte> data, std::span<std::byte> trailer);

// A piece whose data and trailer disagree.
struct TrailerMismatch {
  std::size_t piece = 0;
  std::uint32_t computed = 0;
  std::uint32_t stored = 0;
};
std::vector<TrailerMismatch> CheckTrailer(std::span<const std::byte> data,
                                          std::span<const std::byte> trailer);

}  // namespace prewarm::juicefs
