#include "controller/bento/glob.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "common/base/utf8.h"

namespace prewarm::controller::bento {
namespace {

// What stands at the front of a pattern besides "*".
struct Piece {
  std::size_t length = 1;
  bool matches = false;
  std::size_t taken = 1;  // of the text
};

// "[" to "]"; the first character after "[" or "[!" may be "]" itself. Nothing: not closed, so that
// the bracket is an ordinary character.
std::optional<Piece> MatchSet(std::string_view pattern, char c) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && pattern[at] == '!';
  if (negated) ++at;
  const auto begin = at;
  if (at < pattern.size() && pattern[at] == ']') ++at;
  const auto end = pattern.find(']', at);
  if (end == std::string_view::npos) return std::nullopt;
  bool found = false;
  for (at = begin; at < end;) {
    const bool range = at + 2 < end && pattern[at + 1] == '-';
    const char low = pattern[at];
    const char high = range ? pattern[at + 2] : low;
    found = found || (low <= c && c <= high);
    at += range ? 3 : 1;
  }
  return Piece{.length = end + 1, .matches = found != negated, .taken = 1};
}

Piece MatchOne(std::string_view pattern, std::string_view text) {
  const char c = text.front();
  // A character, of however many bytes; sets are of ASCII.
  if (pattern.front() == '?') {
    return {.length = 1, .matches = true, .taken = std::max<std::size_t>(1, Utf8Length(text))};
  }
  if (pattern.front() == '[') {
    if (auto set = MatchSet(pattern, c)) return *set;
  }
  return {.length = 1, .matches = pattern.front() == c, .taken = 1};
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view path) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return GlobMatches(pattern.ends_with('/') ? pattern + '*' : pattern, path);
  });
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t in_text = 0;
  // Where the last "*" stands and how far into the text it reaches: only it is tried again, since
  // what an earlier one could still take, a later one can too.
  std::optional<std::size_t> star;
  std::size_t reach = 0;
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      reach = in_text;
      continue;
    }
    if (at < pattern.size()) {
      const auto piece = MatchOne(pattern.substr(at), text.substr(in_text));
      if (piece.matches) {
        at += piece.length;
        in_text += piece.taken;
        continue;
      }
    }
    if (!star) return false;
    at = *star + 1;
    in_text = ++reach;
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool FileFilter::Takes(std::string_view path) const {
  return (include.empty() || MatchesAny(include, path)) && !MatchesAny(exclude, path);
}

}  // namespace prewarm::controller::bento
