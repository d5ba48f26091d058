// Attribute records: any bytes are refused or give a known type and 12 permission bits.
#include "common/juicefs/attribute.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  if (const auto attribute = juicefs::ParseAttribute(fuzz::AsText(data, size))) {
    fuzz::Claim(size >= 63);
    fuzz::Claim(attribute->mode <= 07777);
    fuzz::Claim(juicefs::FileTypeName(attribute->type) != "unknown");
  }
  return 0;
}
