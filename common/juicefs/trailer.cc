#include "common/juicefs/trailer.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "common/base/check.h"

namespace prewarm::juicefs {
namespace {

// Calls `visit(piece number, CRC-32C)` for every 32 KiB of the data; the last piece may be shorter.
template <class Visit>
void ForEachPiece(std::span<const std::byte> data, Visit visit) {
  for (std::size_t piece = 0; !data.empty(); ++piece) {
    const std::size_t bytes = std::min(data.size(), kTrailerPieceBytes);
    visit(piece, Crc32c(data.first(bytes)));
    data = data.subspan(bytes);
  }
}

}  // namespace

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t continue_from) {
  constexpr std::size_t kLongestRun = 1 << 30;  // ISA-L counts in int
  std::uint32_t crc = ~continue_from;           // and leaves both inversions to its caller
  while (!bytes.empty()) {
    const auto run = bytes.first(std::min(bytes.size(), kLongestRun));
    // ISA-L only reads, but its signature does not say so.
    auto* start = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(run.data()));
    crc = ::crc32_iscsi(start, static_cast<int>(run.size()), crc);
    bytes = bytes.subspan(run.size());
  }
  return ~crc;
}

void WriteTrailer(std::span<const std::byte> data, std::span<std::byte> trailer) {
  PREWARM_CHECK(trailer.size() >= TrailerBytes(data.size()), "no room for the trailer");
  ForEachPiece(data, [&](std::size_t piece, std::uint32_t crc) {
    for (std::size_t i = 0; i < 4; ++i) {
      trailer[4 * piece + i] = static_cast<std::byte>(crc >> (24 - 8 * i));
    }
  });
}

std::vector<TrailerMismatch> CheckTrailer(std::span<const std::byte> data,
                                          std::span<const std::byte> trailer) {
  PREWARM_CHECK(trailer.size() >= TrailerBytes(data.size()), "the trailer is cut short");
  std::vector<TrailerMismatch> mismatches;
  ForEachPiece(data, [&](std::size_t piece, std::uint32_t crc) {
    std::uint32_t stored = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      stored = stored << 8 | std::to_integer<std::uint32_t>(trailer[4 * piece + i]);
    }
    if (stored != crc) mismatches.push_back({piece, crc, stored});
  });
  return mismatches;
}

}  // namespace prewarm::juicefs
