#include "common/net/http_target.h"

#include <algorithm>
#include <cstdint>

namespace prewarm::net {
namespace {

Error BadTarget(std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, "the request's target " + std::string(why));
}

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

bool IsControl(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte < 0x20 || byte == 0x7f;
}

enum class Plus : std::uint8_t { kIsPlus, kIsSpace };

Result<std::string> Decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus == Plus::kIsSpace) c = ' ';
    if (c == '%') {
      const auto high = i + 2 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
      if (!high || !low) return BadTarget("has a broken percent escape");
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (IsControl(c)) return BadTarget("has a control character");
    decoded += c;
  }
  return decoded;
}

// Calls take(piece) for each piece between separators; the first failure ends it.
template <class Take>
Status Split(std::string_view text, char separator, Take take) {
  while (true) {
    const auto end = text.find(separator);
    TRY_STATUS(take(text.substr(0, end)));
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

// "http://authority/path" is what proxies are sent, and what every server must understand.
std::string_view WithoutAuthority(std::string_view target) {
  const auto scheme_end = target.find("://");
  if (target.starts_with('/') || scheme_end == std::string_view::npos) return target;
  target.remove_prefix(scheme_end + 3);
  const auto path = target.find_first_of("/?");
  return path == std::string_view::npos ? "/" : target.substr(path);
}

Status ParsePath(std::string_view path, HttpTarget& target) {
  TRY(target.path, Decode(path, Plus::kIsPlus));
  return Split(path.substr(1), '/', [&target](std::string_view piece) -> Status {
    TRY(auto segment, Decode(piece, Plus::kIsPlus));
    if (segment == "." || segment == "..") return BadTarget("has a relative segment");
    target.segments.push_back(std::move(segment));
    return {};
  });
}

Status ParseQuery(std::string_view query, HttpTarget& target) {
  return Split(query, '&', [&target](std::string_view piece) -> Status {
    if (piece.empty()) return {};
    const auto equals = piece.find('=');
    const auto value = equals == std::string_view::npos ? "" : piece.substr(equals + 1);
    TRY(auto name, Decode(piece.substr(0, equals), Plus::kIsSpace));
    TRY(auto text, Decode(value, Plus::kIsSpace));
    target.query.emplace_back(std::move(name), std::move(text));
    return {};
  });
}

}  // namespace

std::optional<std::string_view> HttpTarget::Parameter(std::string_view name) const {
  const auto found = std::ranges::find(
      query, name, [](const auto& pair) -> std::string_view { return pair.first; });
  if (found == query.end()) return std::nullopt;
  return found->second;
}

Result<HttpTarget> ParseHttpTarget(std::string_view text) {
  HttpTarget target;
  if (text == "*") {
    target.path = "*";
    return target;
  }
  text = WithoutAuthority(text.substr(0, text.find('#')));
  const auto question = text.find('?');
  const auto path = text.substr(0, question);
  const bool bare_query = path.empty() && question != std::string_view::npos;
  if (!path.starts_with('/') && !bare_query) return BadTarget("is not a path");
  TRY_STATUS(ParsePath(bare_query ? "/" : path, target));
  if (question != std::string_view::npos) TRY_STATUS(ParseQuery(text.substr(question + 1), target));
  return target;
}

}  // namespace prewarm::net
