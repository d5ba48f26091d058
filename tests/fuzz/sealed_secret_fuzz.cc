// Sealed secrets: nothing opens but what was sealed. The corpus holds it with one letter changed,
// so that inputs come close.
#include "common/juicefs/volume_settings.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  const auto secret =
      juicefs::OpenSecret(fuzz::AsText(data, size), "12345678-9abc-4def-8012-3456789abcde");
  fuzz::Claim(secret ? secret->Reveal() == "minioadmin"
                     : secret.error().code == ErrorCode::kCorrupt);
  return 0;
}
