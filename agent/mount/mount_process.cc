#include "agent/mount/mount_process.h"

#include <unistd.h>

#include <charconv>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

namespace prewarm::agent {
namespace {

constexpr std::string_view kMask = "****";

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// "redis://user:****@host/1" -> "redis://user@host/1", "redis://:****@host/1" -> "redis://host/1".
std::string WithoutMaskedPassword(std::string_view url) {
  std::string plain(url);
  const std::size_t mask = plain.find(":" + std::string(kMask) + "@");
  if (mask == std::string::npos) return plain;
  plain.erase(mask, 1 + kMask.size());
  if (const std::size_t empty_user = plain.find("://@"); empty_user != std::string::npos) {
    plain.erase(empty_user + 3, 1);
  }
  return plain;
}

bool IsClient(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name.starts_with("juicefs") || name == "mount.juicefs";
}

std::optional<std::string> UrlBefore(const std::vector<std::string_view>& arguments,
                                     std::string_view mount_point) {
  if (arguments.empty() || !IsClient(arguments.front())) return std::nullopt;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string_view url = arguments[i - 1];
    if (arguments[i] != mount_point || url.empty() || url.starts_with('-')) continue;
    return WithoutMaskedPassword(url);
  }
  return std::nullopt;
}

// The client writes its masked arguments over the original ones, and only as much of them as fits:
// a long list ends inside the mount point. Enough of it must be left to tell a path, and what
// stands before it must be a URL with its scheme.
std::optional<std::string> UrlBeforeCutMountPoint(std::string_view text,
                                                  std::string_view mount_point) {
  const std::vector<std::string_view> arguments = Split(text, ' ');
  if (arguments.size() < 3 || !IsClient(arguments.front())) return std::nullopt;
  const std::string_view rest = arguments.back();
  const std::string_view url = arguments[arguments.size() - 2];
  if (!rest.starts_with('/') || !mount_point.starts_with(rest)) return std::nullopt;
  if (mount_point.substr(rest.size()).starts_with('/')) return std::nullopt;  // another mount's
  if (url.find("://") == std::string_view::npos) return std::nullopt;
  return WithoutMaskedPassword(url);
}

// Only the mount point may contain spaces once everything is joined by them: URLs escape them.
std::optional<std::string> UrlInJoinedText(std::string_view text, std::string_view mount_point) {
  const std::string wanted = " " + std::string(mount_point);
  for (std::size_t at = text.find(wanted); at != std::string_view::npos;
       at = text.find(wanted, at + 1)) {
    const std::size_t end = at + wanted.size();
    if (end != text.size() && text[end] != ' ') continue;
    std::vector<std::string_view> arguments = Split(text.substr(0, at), ' ');
    arguments.push_back(mount_point);
    if (auto url = UrlBefore(arguments, mount_point)) return url;
  }
  return UrlBeforeCutMountPoint(text, mount_point);
}

std::string ReadProcFile(pid_t pid, const char* name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Ticks after boot to wall time, by how long ago that was: boot time itself is known to the second
// only.
std::optional<WallTime> WallTimeOfTicks(std::uint64_t ticks) {
  const long per_second = ::sysconf(_SC_CLK_TCK);
  timespec boot{};
  if (per_second <= 0 || ::clock_gettime(CLOCK_BOOTTIME, &boot) != 0) return std::nullopt;
  using std::chrono::nanoseconds;
  const nanoseconds since_boot = std::chrono::seconds(boot.tv_sec) + nanoseconds(boot.tv_nsec);
  const nanoseconds start(static_cast<std::int64_t>(static_cast<double>(ticks) /
                                                    static_cast<double>(per_second) * 1e9));
  const WallTime now = SystemClock().WallNow();
  return now - std::chrono::duration_cast<WallTime::duration>(since_boot - start);
}

}  // namespace

std::optional<std::string> MetadataUrlInArguments(std::string_view cmdline,
                                                  std::string_view mount_point) {
  if (mount_point.empty()) return std::nullopt;
  while (!cmdline.empty() && cmdline.back() == '\0') cmdline.remove_suffix(1);
  if (cmdline.find('\0') == std::string_view::npos) return UrlInJoinedText(cmdline, mount_point);
  return UrlBefore(Split(cmdline, '\0'), mount_point);
}

std::optional<std::uint64_t> StartTicks(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  while (stat.ends_with('\n')) stat.remove_suffix(1);
  const auto fields = Split(stat.substr(std::min(name_end + 2, stat.size())), ' ');
  constexpr std::size_t kIndex = 22 - 3;  // field 3 is the first one behind the name
  if (fields.size() <= kIndex) return std::nullopt;
  std::uint64_t ticks = 0;
  const std::string_view text = fields[kIndex];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ticks);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return ticks;
}

MountProcess InspectMountProcess(pid_t pid, std::string_view mount_point) {
  if (pid <= 0) return {};
  MountProcess process;
  process.metadata_url = MetadataUrlInArguments(ReadProcFile(pid, "cmdline"), mount_point);
  if (!process.metadata_url) return {};
  if (const auto ticks = StartTicks(ReadProcFile(pid, "stat")))
    process.started = WallTimeOfTicks(*ticks);
  return process;
}

}  // namespace prewarm::agent
