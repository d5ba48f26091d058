// Directory entries: 9 bytes with a known type, and nothing else.
#include "common/juicefs/attribute.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  const auto entry = juicefs::ParseDirectoryEntry(fuzz::AsText(data, size));
  fuzz::Claim(entry.has_value() == (size == 9 && data[0] >= 1 && data[0] <= 7));
  return 0;
}
