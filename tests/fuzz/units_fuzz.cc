// Sizes, rates and durations of the command line: refused or in range, and printable.
#include "common/base/units.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  const std::string_view text = fuzz::AsText(data, size);
  if (const auto bytes = ParseSize(text, 1 << 20)) {
    fuzz::Claim(*bytes < 1ULL << 63 && !FormatBytes(*bytes).empty());
  }
  if (const auto rate = ParseLinkRate(text)) fuzz::Claim(*rate < 1ULL << 63);
  if (const auto duration = ParseDuration(text)) fuzz::Claim(!FormatDuration(*duration).empty());
  return 0;
}
