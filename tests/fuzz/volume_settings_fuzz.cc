// The setting JSON: whatever is accepted is safe to build paths and budgets from.
#include <bit>

#include "common/juicefs/cache_layout.h"
#include "common/juicefs/volume_settings.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  for (const bool need_secrets : {true, false}) {
    const auto settings = juicefs::ParseVolumeSettings(fuzz::AsText(data, size), need_secrets);
    if (!settings) continue;
    fuzz::Claim(juicefs::IsUuid(settings->uuid));
    fuzz::Claim(!settings->name.empty() && settings->name.find('/') == std::string::npos);
    fuzz::Claim(std::has_single_bit(settings->block_size));
    fuzz::Claim(settings->block_size >= 64 << 10 && settings->block_size <= 16 << 20);
    fuzz::Claim(settings->shards <= 256);
    fuzz::Claim(need_secrets || settings->secret_key.empty());
  }
  return 0;
}
