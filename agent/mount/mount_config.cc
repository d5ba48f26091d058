// What a client writes about itself into the `.config` file of its mount. Only the members that a
// warmer needs are read; a client that has dropped or retyped one of them is reported by its name
// rather than guessed at.
#include <algorithm>
#include <boost/json.hpp>
#include <limits>

#include "agent/mount/mounts.h"

namespace prewarm::agent {
namespace {

namespace json = boost::json;

Error Odd(std::string_view member, std::string_view what) {
  return Fail(ErrorCode::kCorrupt,
              "the mount's .config: " + std::string(member) + " " + std::string(what));
}

// Members of one section, asked for by name and type.
class Section {
 public:
  static Result<Section> Of(const json::object& document, std::string_view name) {
    const json::value* value = document.if_contains(name);
    if (value == nullptr || !value->is_object()) return Odd(name, "is missing");
    return Section(std::string(name), value->get_object());
  }

  [[nodiscard]] Result<std::string> Text(std::string_view member) const {
    const json::value* value = members_->if_contains(member);
    if (value == nullptr) return Odd(Path(member), "is missing");
    if (!value->is_string()) return Odd(Path(member), "is not a text");
    return std::string(value->get_string());
  }

  [[nodiscard]] Result<std::int64_t> Integer(std::string_view member) const {
    const json::value* value = members_->if_contains(member);
    if (value == nullptr) return Odd(Path(member), "is missing");
    if (!value->is_int64()) return Odd(Path(member), "is not a whole number");
    return value->get_int64();
  }

  [[nodiscard]] Result<double> Number(std::string_view member) const {
    const json::value* value = members_->if_contains(member);
    if (value == nullptr) return Odd(Path(member), "is missing");
    if (!value->is_number()) return Odd(Path(member), "is not a number");
    return value->to_number<double>();
  }

  [[nodiscard]] Result<bool> Flag(std::string_view member) const {
    const json::value* value = members_->if_contains(member);
    if (value == nullptr) return Odd(Path(member), "is missing");
    if (!value->is_bool()) return Odd(Path(member), "is neither true nor false");
    return value->get_bool();
  }

 private:
  Section(std::string name, const json::object& members)
      : name_(std::move(name)), members_(&members) {}
  [[nodiscard]] std::string Path(std::string_view member) const {
    return name_ + "." + std::string(member);
  }

  std::string name_;
  const json::object* members_;
};

// The client appends "/<UUID>" to every entry and joins them with ':'. Unlike a --cache-dir value,
// this is never split at commas, and an entry may be relative to wherever the client was started.
Result<std::vector<std::string>> CacheDirectories(std::string_view joined, std::string_view uuid) {
  const std::string suffix = "/" + std::string(uuid);
  std::vector<std::string> directories;
  while (!joined.empty()) {
    const std::size_t end = std::min(joined.find(':'), joined.size());
    std::string_view entry = joined.substr(0, end);
    joined.remove_prefix(std::min(end + 1, joined.size()));
    if (!entry.ends_with(suffix)) {
      return Odd("Chunk.CacheDir", "does not end in the volume's UUID: " + std::string(entry));
    }
    entry.remove_suffix(suffix.size());
    while (entry.size() > 1 && entry.back() == '/') entry.remove_suffix(1);
    directories.emplace_back(entry.empty() ? "/" : entry);
  }
  if (directories.empty()) return Odd("Chunk.CacheDir", "is empty");
  return directories;
}

Status ReadCacheSettings(const Section& chunk, MountSettings& settings) {
  TRY(const std::int64_t size, chunk.Integer("CacheSize"));
  TRY(const std::int64_t mode, chunk.Integer("CacheMode"));
  TRY(const std::int64_t interval, chunk.Integer("CacheScanInterval"));
  TRY(settings.free_space_ratio, chunk.Number("FreeSpace"));
  TRY(const std::string directories, chunk.Text("CacheDir"));
  if (size < 0) return Odd("Chunk.CacheSize", "is negative");
  if (mode < 0 || mode > 07777) return Odd("Chunk.CacheMode", "is no file mode");
  settings.cache_size = static_cast<std::uint64_t>(size);
  settings.cache_mode = static_cast<mode_t>(mode);
  settings.scan_interval = std::chrono::nanoseconds(interval);
  settings.disk_cache = size > 0 && directories != "memory";
  if (directories == "memory") return {};
  TRY(settings.cache_directories, CacheDirectories(directories, settings.format.uuid));
  return {};
}

Result<json::object> ParseObject(std::string_view text) {
  boost::system::error_code error;
  json::value document = json::parse(text, error);
  if (error)
    return Fail(ErrorCode::kCorrupt, "the mount's .config is not JSON: " + error.message());
  if (!document.is_object())
    return Fail(ErrorCode::kCorrupt, "the mount's .config is not a JSON object");
  return std::move(document.get_object());
}

Result<juicefs::VolumeSettings> ReadFormat(const json::object& document) {
  const json::value* format = document.if_contains("Format");
  if (format == nullptr) return Odd("Format", "is missing");
  auto settings = juicefs::ParseVolumeSettings(json::serialize(*format), /*need_secrets=*/false);
  if (!settings) return std::move(settings).error().Within("the mount's .config, Format");
  return settings;
}

// Clients before 1.2 do not tell it: 0.
Result<pid_t> ReadPid(const json::object& document) {
  const json::value* pid = document.if_contains("Pid");
  if (pid == nullptr) return 0;
  const bool fits = pid->is_int64() && pid->get_int64() > 0 &&
                    pid->get_int64() <= std::numeric_limits<pid_t>::max();
  if (!fits) return Odd("Pid", "is no process id");
  return static_cast<pid_t>(pid->get_int64());
}

}  // namespace

Result<MountSettings> ParseMountConfig(std::string_view text, std::string_view mount_point) {
  TRY(const json::object document, ParseObject(text));
  MountSettings settings;
  settings.mount_point = mount_point;
  TRY(settings.format, ReadFormat(document));
  TRY(const Section chunk, Section::Of(document, "Chunk"));
  TRY_STATUS(ReadCacheSettings(chunk, settings));
  TRY(const Section meta, Section::Of(document, "Meta"));
  TRY(settings.subdir, meta.Text("Subdir"));
  TRY(settings.own_mount_point, meta.Text("MountPoint"));
  TRY(settings.read_only, meta.Flag("ReadOnly"));

  const json::value* version = document.if_contains("Version");
  if (version == nullptr || !version->is_string()) return Odd("Version", "is missing");
  settings.version = std::string(version->get_string());
  TRY(settings.pid, ReadPid(document));
  return settings;
}

}  // namespace prewarm::agent
