#include "common/juicefs/cache_layout.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace prewarm::juicefs {
namespace {

Error BadCacheDir(std::string_view entry, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              "cache directory \"" + std::string(entry) + "\" " + std::string(why));
}

// An entry without its trailing slashes; the root stays itself.
std::string_view WithoutTrailingSlashes(std::string_view entry) {
  while (entry.size() > 1 && entry.back() == '/') entry.remove_suffix(1);
  return entry;
}

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

Result<std::vector<std::string>> SplitCacheDirs(std::string_view value) {
  const char separator = value.find(':') != std::string_view::npos ? ':' : ',';
  std::vector<std::string> dirs;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find(separator), value.size());
    const std::string_view entry = WithoutTrailingSlashes(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
    if (entry.empty()) continue;
    if (entry == "memory") {
      return BadCacheDir(entry, "keeps blocks in the client's memory: there is nothing to warm");
    }
    if (entry.front() != '/') return BadCacheDir(entry, "is not an absolute path");
    if (entry.find('\0') != std::string_view::npos) return BadCacheDir(entry, "holds a zero byte");
    if (std::ranges::find(dirs, entry) == dirs.end()) dirs.emplace_back(entry);
  }
  if (dirs.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "no cache directory is given");
  }
  return dirs;
}

bool HasWildcard(std::string_view path) {
  return path.find_first_of("*?[\\") != std::string_view::npos;
}

Result<mode_t> ParseCacheMode(std::string_view text) {
  mode_t mode = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc{} || end != text.data() + text.size() || mode > 0777) {
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is not a file mode in octal such as 0600 or 0644");
  }
  return mode;
}

mode_t DirectoryMode(mode_t file_mode) {
  const mode_t read_bits = file_mode & 0444;
  return file_mode | read_bits >> 1 | read_bits >> 2;
}

bool IsUuid(std::string_view text) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(
      text, kShape, [](char c, char shape) { return shape == '-' ? c == '-' : IsHexDigit(c); });
}

}  // namespace prewarm::juicefs
