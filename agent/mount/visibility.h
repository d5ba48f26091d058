// What may be said about when each mounted client finds blocks that were just stored in its cache
// directory. Pure: a survey, a clock reading and names in; sentences out. Nothing is promised that
// follows from less than the client's own settings.
//
// The client knows its cache by scanning it: once when it starts, then again each time the interval
// has passed since the last scan *ended*. How long its scans take is not told anywhere, so the
// first rescan has an earliest moment (start + interval) and every later one only a likely one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mount/mounts.h"
#include "common/base/clock.h"

namespace prewarm::agent {

struct StoredBlocks {
  std::string uuid;
  std::string volume_name;                     // tells which unreadable mounts could be this volume
  std::vector<std::string> cache_directories;  // as --cache-dir, without the /<UUID>
};

struct MountVisibility {
  std::string mount_point{};  // empty: the volume is not mounted here
  Visibility visibility = Visibility::kUnknown;
  std::string words{};  // one sentence or two: what is so, and what to do about it
  // kAfterRescan only. When the next scan is due; nothing if the client's start is not known.
  std::optional<WallTime> next_scan{};
  bool never_before_next_scan = false;  // `next_scan` is an earliest moment, not only a likely one
  std::optional<WallTime> latest_scan{};  // plus the length of a scan, should one be running now

  bool operator==(const MountVisibility&) const = default;
};

// One entry for each mount of the volume, in the order of the survey; a single one without a mount
// point if there is none. `now` is when the last block was stored. Never kMissing: that a client
// must say.
std::vector<MountVisibility> JudgeVisibility(const MountSurvey& survey, const StoredBlocks& blocks,
                                             WallTime now);

// "next_mount", "now", "after_rescan", "never_by_itself", "unknown", "missing": for JSON.
std::string_view VisibilityName(Visibility visibility);

}  // namespace prewarm::agent
