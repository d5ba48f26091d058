#include "common/base/utf8.h"

#include <algorithm>
#include <cstdint>

namespace prewarm {

std::size_t Utf8Length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const std::uint8_t second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : length;
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = Utf8Length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string ToUtf8(std::string_view bytes) { return ToUtf8(bytes, std::string::npos); }

std::string ToUtf8(std::string_view bytes, std::size_t longest) {
  std::string text;
  text.reserve(std::min(bytes.size(), longest));
  while (!bytes.empty()) {
    const std::size_t length = Utf8Length(bytes);
    const auto character = length == 0 ? "\xef\xbf\xbd" : bytes.substr(0, length);
    if (character.size() > longest - text.size()) break;
    text += character;
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

}  // namespace prewarm
