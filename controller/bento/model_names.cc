#include "controller/bento/model_names.h"

#include <algorithm>

#include "common/base/utf8.h"

namespace prewarm::controller::bento {
namespace {

constexpr std::size_t kMaxTagPart = 63;
constexpr std::size_t kMaxPathPart = 255;  // a file name of JuiceFS
constexpr std::size_t kMaxPath = 1024;
constexpr std::size_t kMaxQuoted = 80;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool IsWordLower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsWord(char c) { return IsWordLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsInside(char c) { return IsWord(c) || c == '-' || c == '.' || c == '_'; }

// [a-z0-9]([-._a-z0-9]*[a-z0-9])?
bool IsTagPart(std::string_view part) {
  return !part.empty() && part.size() <= kMaxTagPart && IsWordLower(part.front()) &&
         IsWordLower(part.back()) &&
         std::ranges::all_of(part, [](char c) { return IsInside(c) && !(c >= 'A' && c <= 'Z'); });
}

Error Invalid(std::string_view what, std::string_view name, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              "the " + std::string(what) + " " + Quoted(name) + " " + std::string(why));
}

}  // namespace

std::string Quoted(std::string_view name) {
  std::string text = ToUtf8(name.substr(0, kMaxQuoted));
  std::ranges::replace_if(text, IsControl, '?');
  return "\"" + text + (name.size() > kMaxQuoted ? "…\"" : "\"");
}

Result<ModelTag> ParseModelTag(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    return Invalid("model tag", text, "has no version: it must be name:version");
  }
  const auto repository = text.substr(0, colon);
  const auto version = text.substr(colon + 1);
  if (!IsTagPart(repository) || !IsTagPart(version)) {
    return Invalid("model tag", text,
                   "is not name:version with at most 63 of a-z, 0-9, '-', '.', '_' on either side");
  }
  if (version == "latest") {
    return Invalid("model tag", text, "names no version: \"latest\" means another one each day");
  }
  return ModelTag{.repository = std::string(repository), .version = std::string(version)};
}

Status CheckPathPart(std::string_view part) {
  if (part.empty()) return Invalid("path", part, "has an empty part");
  if (part == "." || part == "..") return Invalid("path part", part, "is not allowed");
  if (part.size() > kMaxPathPart) return Invalid("path part", part, "is longer than 255 bytes");
  if (part.find('/') != std::string_view::npos) return Invalid("path part", part, "holds a \"/\"");
  if (std::ranges::any_of(part, IsControl)) {
    return Invalid("path part", part, "holds control characters");
  }
  return {};
}

Result<std::string> CleanPath(std::string_view path) {
  if (path.size() > kMaxPath) return Invalid("path", path, "is longer than 1024 bytes");
  if (path.empty() || path == "/") return std::string();
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    if (auto checked = CheckPathPart(path.substr(at, end - at)); !checked) {
      return Invalid("path", path, "cannot be used: " + checked.error().message);
    }
    at = end + 1;
  }
  return std::string(path);
}

Status CheckStorageNamespace(std::string_view name) {
  if (name.empty() || name.size() > kMaxTagPart || !IsWord(name.front()) ||
      !std::ranges::all_of(name, IsInside)) {
    return Invalid("storage namespace", name,
                   "is not at most 63 of letters, digits, '-', '.', '_', a letter or digit first");
  }
  return {};
}

std::string JoinPath(std::string_view above, std::string_view below) {
  std::string path(above);
  if (!above.empty() && !below.empty()) path += '/';
  return path.append(below);
}

bool IsWithin(std::string_view path, std::string_view directory) {
  return directory.empty() || (path.starts_with(directory) &&
                               (path.size() == directory.size() || path[directory.size()] == '/'));
}

}  // namespace prewarm::controller::bento
