#include "controller/cli/display_width.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

namespace prewarm::ctl {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Blocks of Unicode, coarser than its tables: a column too many is harmless.
constexpr std::array<Range, 11> kCombining{{{0x0300, 0x036f},
                                            {0x0483, 0x0489},
                                            {0x0591, 0x05bd},
                                            {0x064b, 0x065f},
                                            {0x1ab0, 0x1aff},
                                            {0x1dc0, 0x1dff},
                                            {0x200b, 0x200f},
                                            {0x20d0, 0x20ff},
                                            {0x3099, 0x309a},
                                            {0xfe00, 0xfe0f},
                                            {0xfe20, 0xfe2f}}};
constexpr std::array<Range, 9> kWide{{{0x1100, 0x115f},
                                      {0x2e80, 0x303e},
                                      {0x3041, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0x1f300, 0x1faff},
                                      {0x20000, 0x3fffd}}};
// Directions of writing, which can make a name read as another.
constexpr std::array<Range, 3> kDirections{{{0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}}};

bool In(char32_t c, std::span<const Range> ranges) {
  return std::ranges::any_of(ranges, [c](Range r) { return r.first <= c && c <= r.last; });
}

bool Obeyed(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || In(c, kDirections);
}

struct Character {
  std::string_view bytes;
  char32_t code;
};

// The character at the beginning of `text`, unless that is no UTF-8.
std::optional<Character> First(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return Character{text.substr(0, 1), lead};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return std::nullopt;
  char32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast.at(length) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    return std::nullopt;
  }
  return Character{text.substr(0, length), code};
}

std::size_t WidthOf(char32_t c) {
  if (In(c, kCombining)) return 0;
  return In(c, kWide) ? 2 : 1;
}

std::vector<Character> Characters(std::string_view text) {
  std::vector<Character> all;
  while (!text.empty()) {
    const auto character = First(text).value_or(Character{text.substr(0, 1), U'?'});
    all.push_back(character);
    text.remove_prefix(character.bytes.size());
  }
  return all;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const auto character = First(text);
    const auto length = character ? character->bytes.size() : 1;
    clean += character && !Obeyed(character->code) ? text.substr(0, length) : "?";
    text.remove_prefix(length);
  }
  return clean;
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  for (const auto& character : Characters(text)) width += WidthOf(character.code);
  return width;
}

std::string CutEnd(std::string_view text, std::size_t columns) {
  if (DisplayWidth(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  std::string cut;
  std::size_t width = 0;
  for (const auto& character : Characters(text)) {
    width += WidthOf(character.code);
    if (width > columns - 1) break;
    cut += character.bytes;
  }
  return cut + "…";
}

std::string CutBeginning(std::string_view text, std::size_t columns) {
  auto width = DisplayWidth(text);
  if (width <= columns) return std::string(text);
  if (columns == 0) return "";
  for (const auto& character : Characters(text)) {
    if (width <= columns - 1 && WidthOf(character.code) > 0) break;
    width -= WidthOf(character.code);
    text.remove_prefix(character.bytes.size());
  }
  return "…" + std::string(text);
}

}  // namespace prewarm::ctl
