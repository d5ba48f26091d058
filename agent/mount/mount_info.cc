// Reads the kernel's table of mounts. Its fields are separated by spaces, so that spaces inside a
// path are written as octal escapes; everything here is text in, values out.
#include <array>
#include <cctype>
#include <cstddef>

#include "agent/mount/mounts.h"

namespace prewarm::agent {
namespace {

constexpr std::string_view kFileSystemType = "fuse.juicefs";
constexpr std::string_view kSourcePrefix = "JuiceFS:";

std::string_view TakeUntil(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view front = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return front;
}

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// "\040" and its like back to the byte; a backslash that starts no escape stays what it is.
std::string Unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) &&
                        IsOctal(text[i + 2]) && IsOctal(text[i + 3]);
    if (!escape) {
      plain += text[i];
      continue;
    }
    plain +=
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return plain;
}

// id parent major:minor root mount_point options [optional fields] - type source super_options
std::optional<MountEntry> ParseLine(std::string_view line) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return std::nullopt;
  std::string_view tail = line.substr(dash + 3);
  if (TakeUntil(tail, ' ') != kFileSystemType) return std::nullopt;
  std::string source = Unescape(TakeUntil(tail, ' '));
  if (source.starts_with(kSourcePrefix)) source.erase(0, kSourcePrefix.size());

  std::string_view head = line.substr(0, dash);
  std::array<std::string_view, 5> fields;
  for (std::string_view& field : fields) field = TakeUntil(head, ' ');
  const auto& [id, parent, device, root, mount_point] = fields;
  if (mount_point.empty()) return std::nullopt;
  return MountEntry{.mount_point = Unescape(mount_point),
                    .volume_name = std::move(source),
                    .device = std::string(device),
                    .root = Unescape(root)};
}

}  // namespace

std::vector<MountEntry> ParseMountInfo(std::string_view mountinfo) {
  std::vector<MountEntry> entries;
  while (!mountinfo.empty()) {
    if (auto entry = ParseLine(TakeUntil(mountinfo, '\n'))) entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace prewarm::agent
