// The process that serves a mount, as /proc shows it: what it was started with and when. Nothing
// here is trusted blindly: a process id comes from the client's own pid namespace and may name
// somebody else's process here, so the arguments must mention the mount point.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace prewarm::agent {

// The metadata URL in the arguments of `juicefs mount [options] META MOUNTPOINT` or `mount.juicefs
// META MOUNTPOINT -o …`. `cmdline` is /proc/<pid>/cmdline: either NUL-separated, or, where the
// client has masked a password, one text joined by spaces. Nothing unless the mount point is among
// the arguments with the URL right before it. A masked password is taken out.
std::optional<std::string> MetadataUrlInArguments(std::string_view cmdline,
                                                  std::string_view mount_point);

// Field 22 of /proc/<pid>/stat: the start in clock ticks after boot. The name in field 2 may
// contain anything, also spaces and parentheses.
std::optional<std::uint64_t> StartTicks(std::string_view stat);

struct MountProcess {
  std::optional<std::string> metadata_url;
  std::optional<WallTime> started;
};
// What /proc tells about `pid` if it serves `mount_point` (as the client itself calls it); nothing
// otherwise.
MountProcess InspectMountProcess(pid_t pid, std::string_view mount_point);

}  // namespace prewarm::agent
