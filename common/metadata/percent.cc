#include "common/metadata/percent.h"

#include <charconv>

namespace prewarm::metadata {

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    unsigned value = 0;
    const char* end = text.data() + i + 3;
    const auto [stopped, error] = std::from_chars(text.data() + i + 1, end, value, 16);
    if (error != std::errc() || stopped != end) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

}  // namespace prewarm::metadata
