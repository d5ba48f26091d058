// Trailers: a written one checks out, and any flipped byte of data or trailer is named by its
// piece.
#include <vector>

#include "common/juicefs/trailer.h"
#include "tests/fuzz/fuzz_input.h"

// The first four bytes choose what to flip; the rest, repeated 64 times to cross pieces, is the
// data.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  using namespace prewarm::juicefs;
  if (size < 5) return 0;
  const std::size_t choice =
      std::size_t{data[0]} << 16 | std::size_t{data[1]} << 8 | std::size_t{data[2]};
  const auto flip = static_cast<std::byte>(data[3] == 0 ? 1 : data[3]);
  std::vector<std::byte> block;
  const auto seed = std::as_bytes(std::span(data + 4, size - 4));
  for (int i = 0; i < 64; ++i) block.insert(block.end(), seed.begin(), seed.end());
  std::vector<std::byte> trailer(TrailerBytes(block.size()));
  WriteTrailer(block, trailer);
  fuzz::Claim(CheckTrailer(block, trailer).empty());

  const std::size_t in_data = choice % block.size();
  block[in_data] ^= flip;
  auto mismatches = CheckTrailer(block, trailer);
  fuzz::Claim(mismatches.size() == 1 && mismatches[0].piece == in_data / kTrailerPieceBytes);
  block[in_data] ^= flip;

  const std::size_t in_trailer = choice % trailer.size();
  trailer[in_trailer] ^= flip;
  mismatches = CheckTrailer(block, trailer);
  fuzz::Claim(mismatches.size() == 1 && mismatches[0].piece == in_trailer / 4);
  return 0;
}
