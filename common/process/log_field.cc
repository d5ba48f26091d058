#include "common/process/log_field.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "common/base/utf8.h"

namespace prewarm {
namespace {

// Control characters, C1 ones included, end no line and colour no terminal.
bool MustBeEscaped(std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character[0]);
  return first < 0x20 || first == 0x7f ||
         (first == 0xc2 && static_cast<std::uint8_t>(character[1]) < 0xa0);
}

void AppendEscape(std::string_view character, std::string& line) {
  switch (character[0]) {
    case '\n': line += "\\n"; return;
    case '\r': line += "\\r"; return;
    case '\t': line += "\\t"; return;
    default: break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto code = static_cast<std::uint8_t>(character.back());  // of a C1 one, too
  line += "\\u00";
  line += kDigits[code / 16];
  line += kDigits[code % 16];
}

// Valid in JSON; what is not UTF-8 becomes U+FFFD.
void AppendQuoted(std::string_view text, std::string& line) {
  line += '"';
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const auto character = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(character.size());
    if (length == 0) {
      line += "\xef\xbf\xbd";
    } else if (MustBeEscaped(character)) {
      AppendEscape(character, line);
    } else {
      if (character == "\"" || character == "\\") line += '\\';
      line += character;
    }
  }
  line += '"';
}

bool IsPlainWord(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
}

template <class Number>
void AppendNumber(Number number, std::string& line) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  line.append(text.data(), end);
}

// The shortest text that reads back as the same number; JSON knows no infinity.
void AppendDouble(LogFormat format, double number, std::string& line) {
  if (std::isfinite(number)) return AppendNumber(number, line);
  const std::string_view name = std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
  if (format == LogFormat::kJson) return AppendQuoted(name, line);
  line += name;
}

}  // namespace

void AppendLogValue(LogFormat format, const LogValue& value, std::string& line) {
  if (const auto* text = std::get_if<std::string_view>(&value.value())) {
    if (format == LogFormat::kText && IsPlainWord(*text)) {
      line += *text;
    } else {
      AppendQuoted(*text, line);
    }
  } else if (const auto* truth = std::get_if<bool>(&value.value())) {
    line += *truth ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&value.value())) {
    AppendNumber(*integer, line);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value.value())) {
    AppendNumber(*natural, line);
  } else {
    AppendDouble(format, std::get<double>(value.value()), line);
  }
}

void AppendLogField(LogFormat format, const LogField& field, std::string& line) {
  if (format == LogFormat::kJson) {
    line += ',';
    AppendQuoted(field.key, line);
    line += ':';
  } else {
    line += ' ';
    line += field.key;
    line += '=';
  }
  AppendLogValue(format, field.value, line);
}

}  // namespace prewarm
