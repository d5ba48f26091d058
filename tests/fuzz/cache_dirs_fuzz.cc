// --cache-dir values: whatever is accepted is a list of different absolute paths.
#include <set>

#include "common/juicefs/cache_layout.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  const std::string_view text = fuzz::AsText(data, size);
  if (const auto dirs = juicefs::SplitCacheDirs(text)) {
    fuzz::Claim(!dirs->empty());
    fuzz::Claim(std::set<std::string>(dirs->begin(), dirs->end()).size() == dirs->size());
    for (const std::string& dir : *dirs) {
      fuzz::Claim(dir.front() == '/' && (dir == "/" || dir.back() != '/'));
    }
  }
  if (const auto mode = juicefs::ParseCacheMode(text)) {
    fuzz::Claim(*mode <= 0777 && juicefs::DirectoryMode(*mode) <= 0777);
  }
  if (juicefs::IsUuid(text)) fuzz::Claim(size == 36 && text.find('/') == std::string_view::npos);
  return 0;
}
