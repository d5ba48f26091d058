#include "controller/bento/hub_url.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "controller/bento/model_names.h"

namespace prewarm::controller::bento {
namespace {

constexpr std::string_view kScheme = "hf://";
constexpr std::size_t kMaxUrl = 4096;
constexpr std::size_t kMaxPatterns = 64;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string> Patterns(std::string_view joined) {
  std::vector<std::string> patterns;
  for (const auto pattern : Split(joined, '&')) {
    if (!pattern.empty()) patterns.emplace_back(pattern);
  }
  return patterns;
}

Error Invalid(std::string_view url, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              "the URL " + Quoted(url) +
                  " is not hf://model@revision@endpoint[@include[@exclude]]: " + std::string(why));
}

}  // namespace

bool IsHubUrl(std::string_view url) { return url.starts_with(kScheme); }

bool HubSelection::HasCommit() const {
  return revision.size() == 40 && std::ranges::all_of(revision, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<HubSelection> ParseHubUrl(std::string_view url) {
  if (!IsHubUrl(url)) return Invalid(url, "it begins otherwise");
  if (url.size() > kMaxUrl) return Invalid(url, "it is longer than 4096 bytes");
  if (std::ranges::any_of(url, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    return Invalid(url, "it holds control characters");
  }
  const auto parts = Split(url.substr(kScheme.size()), '@');
  if (parts.size() < 3 || parts.size() > 5) {
    return Invalid(url, "it has " + std::to_string(parts.size()) + " parts");
  }
  const auto names = Split(parts[0], '/');
  if (names.size() > 2) return Invalid(url, "the model has more than an organisation and a name");
  for (const auto name : names) {
    if (auto checked = CheckPathPart(name); !checked) return Invalid(url, checked.error().message);
  }
  // A branch may hold "/", but it never becomes a path: only commits do.
  if (parts[1].empty()) return Invalid(url, "the revision is empty");
  HubSelection selection{.model_id = std::string(parts[0]),
                         .revision = std::string(parts[1]),
                         .endpoint = std::string(parts[2]),
                         .files = {}};
  if (parts.size() > 3) selection.files.include = Patterns(parts[3]);
  if (parts.size() > 4) selection.files.exclude = Patterns(parts[4]);
  if (std::max(selection.files.include.size(), selection.files.exclude.size()) > kMaxPatterns) {
    return Invalid(url, "it has more than 64 patterns");
  }
  return selection;
}

std::string HubFolder(std::string_view model_id) {
  std::string folder = "models--";
  for (const char c : model_id) folder += c == '/' ? std::string("--") : std::string(1, c);
  return folder;
}

}  // namespace prewarm::controller::bento
