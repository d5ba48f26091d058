// JuiceFS mounts on this node and what their own .config says about the cache they use.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/juicefs/volume_settings.h"

namespace prewarm::agent {

// A line of /proc/self/mountinfo with fstype fuse.juicefs.
struct MountEntry {
  std::string mount_point;
  std::string volume_name;
  std::string device;      // "0:39": bind mounts of one client share it
  std::string root = "/";  // other than "/": a bind mount of a sub-directory, without .config

  bool operator==(const MountEntry&) const = default;
};
// In the order of the file; lines of other file systems and lines that are not understood are left
// out.
std::vector<MountEntry> ParseMountInfo(std::string_view mountinfo);

struct MountSettings {
  std::string mount_point;
  juicefs::VolumeSettings format;              // secrets are masked in .config and empty here
  std::vector<std::string> cache_directories;  // without the /<UUID>; wildcards unexpanded
  bool disk_cache = true;                      // false: `memory` or cache size 0
  std::uint64_t cache_size = 0;                // bytes
  mode_t cache_mode = 0600;
  double free_space_ratio = 0.1;
  std::chrono::nanoseconds scan_interval{0};  // negative: never scans, sees new blocks at once
  std::string subdir;
  std::string version;
  pid_t pid = 0;  // in the mount's own pid namespace
  bool read_only = false;
  std::string
      own_mount_point;  // as the client itself calls it; differs where it runs in a container
  // When the serving process started, if it can be seen from here; its first scan cannot be
  // earlier.
  std::optional<WallTime> started;  // not of .config: filled by SurveyMounts and ReadMount
};
// kCorrupt names the member that is missing or odd.
Result<MountSettings> ParseMountConfig(std::string_view json, std::string_view mount_point);

// What design calls adoption: when the client that has the volume mounted sees new blocks.
enum class Visibility : std::uint8_t {
  kNextMount,      // not mounted here with these directories
  kNow,            // negative scan interval
  kAfterRescan,    // at the next scan of the cache directory, at the latest after interval + walk
  kNeverByItself,  // interval 0: only the walk at the start of the mount
  kUnknown,        // a mount whose .config we could not read
  kMissing,        // should see them, but says that it does not find them all
};

// Everything mounted here, each client once however many bind mounts lead to it. A mount whose
// .config cannot be read (another user's, hung: each read has a deadline of 2 s) is in `unreadable`
// with the reason; kUnavailable: its client has ended and left the mount point behind. What was
// unmounted meanwhile is in neither. A read of a hung mount cannot be taken back: its thread stays
// until the kernel lets it go, so call this when a user asks, not in a tight loop.
struct MountSurvey {
  std::vector<MountSettings> mounts;
  std::vector<std::pair<MountEntry, Error>> unreadable;
};
MountSurvey SurveyMounts();
// The same of what is given in place of the kernel's table and the mounts. Pure.
struct MountSources {
  std::function<std::vector<MountEntry>()> table;
  std::function<Result<MountSettings>(const MountEntry&)> read;
};
MountSurvey SurveyOf(const MountSources& sources);
// One mount by any path inside it. kNotFound: not a JuiceFS mount, or a bind mount of a part of
// one; kTimeout: it hangs; kUnavailable: its client has ended; kPermission: only root and the
// mount's owner may ask.
Result<MountSettings> ReadMount(const std::string& path);
// The metadata URL from the mount process's arguments, without the password (the client masks it
// there, so the environment's password applies); nothing if the process is not visible from here.
std::optional<std::string> MetadataUrlOf(const MountSettings& mount);

}  // namespace prewarm::agent
