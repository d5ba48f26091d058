// Names of cached files: a name that is taken for a block is exactly the end of that block's key.
#include "common/juicefs/block.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  const std::string_view name = fuzz::AsText(data, size);
  if (const auto block = juicefs::ParseBlockName(name)) {
    for (const bool hash_prefix : {false, true}) {
      const std::string key = juicefs::BlockKey(*block, hash_prefix);
      fuzz::Claim(key.ends_with("/" + std::string(name)));
    }
  }
  return 0;
}
