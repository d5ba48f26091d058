#include "agent/mount/visibility.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "common/base/units.h"

namespace prewarm::agent {
namespace {

std::string Joined(const std::vector<std::string>& directories) {
  std::string text;
  for (const std::string& directory : directories) text += (text.empty() ? "" : ":") + directory;
  return text;
}

// "14:32", with the date where it is another day: an interval may be longer than a day.
std::string ClockTime(WallTime when, WallTime now) {
  const auto local = [](WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    return parts;
  };
  const std::tm then = local(when);
  const std::tm today = local(now);
  const bool same_day = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
  std::array<char, 32> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), same_day ? "%H:%M" : "%Y-%m-%d %H:%M", &then);
  return {text.data(), length};
}

// "1 h" rather than "1 h 00 min".
std::string Interval(std::chrono::nanoseconds value) {
  std::string text = FormatDuration(value);
  for (const std::string_view zero : {" 00 min", " 00 s"}) {
    if (text.ends_with(zero)) text.resize(text.size() - zero.size());
  }
  return text;
}

bool Matches(const std::string& pattern, const std::string& path) {
  return pattern == path || ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

// Whether every entry of `paths` is meant by some entry of `patterns`.
bool Covers(const std::vector<std::string>& patterns, const std::vector<std::string>& paths) {
  return std::ranges::all_of(paths, [&](const std::string& path) {
    return std::ranges::any_of(patterns,
                               [&](const std::string& pattern) { return Matches(pattern, path); });
  });
}

// The set of directories decides where the client looks for a block, so a part in common is not
// enough. Either side may hold wildcards that the other has expanded.
bool SameDirectories(const std::vector<std::string>& client, const std::vector<std::string>& ours) {
  const auto equal = [](const std::vector<std::string>& patterns,
                        const std::vector<std::string>& paths) {
    return Covers(patterns, paths) &&
           std::ranges::all_of(patterns, [&](const std::string& pattern) {
             return std::ranges::any_of(
                 paths, [&](const std::string& path) { return Matches(pattern, path); });
           });
  };
  return equal(client, ours) || equal(ours, client);
}

MountVisibility OfMountWithoutOurBlocks(const MountSettings& mount, const StoredBlocks& blocks) {
  MountVisibility answer{.mount_point = mount.mount_point, .visibility = Visibility::kNextMount};
  const std::string wanted = Joined(blocks.cache_directories);
  if (!mount.disk_cache) {
    answer.words = "stored, but the client at " + mount.mount_point +
                   (mount.cache_size == 0 ? " runs without a cache (cache size 0)"
                                          : " keeps its cache in memory") +
                   " and never looks at a disk: mount with --cache-dir=" + wanted +
                   " to use these blocks";
    return answer;
  }
  const bool overlap = std::ranges::any_of(blocks.cache_directories, [&](const std::string& path) {
    return std::ranges::any_of(mount.cache_directories,
                               [&](const std::string& pattern) { return Matches(pattern, path); });
  });
  answer.words =
      "stored, but the client at " + mount.mount_point + " uses " +
      (overlap ? "another set of cache directories (" : "other cache directories (") +
      Joined(mount.cache_directories) +
      (overlap ? ") and looks for many of these blocks elsewhere" : ") and does not look here") +
      ": warm with --cache-dir=" + Joined(mount.cache_directories) +
      ", or mount with --cache-dir=" + wanted;
  return answer;
}

std::string Remedy(const std::string& mount_point) {
  return " To have them now, mount again with --cache-scan-interval=-1, or run `juicefs warmup` "
         "on " +
         mount_point + " (which downloads them once more).";
}

// Sets when the next scan is due and says how sure that is.
void Schedule(const MountSettings& mount, WallTime now, MountVisibility& answer) {
  const auto interval = std::chrono::duration_cast<WallTime::duration>(mount.scan_interval);
  answer.latest_scan = now + interval;
  const std::string every = "(scan every " + Interval(mount.scan_interval) + ")";
  if (!mount.started || *mount.started > now || interval <= WallTime::duration::zero()) {
    answer.words = "stored; this client will not see it before its next scan, which begins by " +
                   ClockTime(*answer.latest_scan, now) + " plus the length of a scan " + every +
                   ".";
    return;
  }
  const auto rescans = (now - *mount.started) / interval;
  answer.next_scan = *mount.started + (rescans + 1) * interval;
  answer.never_before_next_scan = rescans == 0;
  if (answer.never_before_next_scan) {
    answer.words = "stored; this client will not see it before " +
                   ClockTime(*answer.next_scan, now) + " " + every + ".";
    return;
  }
  answer.words = "stored; this client will not see it before its next scan, due about " +
                 ClockTime(*answer.next_scan, now) + ", at the latest " +
                 ClockTime(*answer.latest_scan, now) + " plus the length of a scan " + every + ".";
}

MountVisibility OfMount(const MountSettings& mount, const StoredBlocks& blocks, WallTime now) {
  if (!mount.disk_cache || !SameDirectories(mount.cache_directories, blocks.cache_directories)) {
    return OfMountWithoutOurBlocks(mount, blocks);
  }
  MountVisibility answer{.mount_point = mount.mount_point};
  if (mount.scan_interval.count() < 0) {
    answer.visibility = Visibility::kNow;
    answer.words = "visible now at " + mount.mount_point +
                   " (negative scan interval: the client looks at the disk for every block)";
  } else if (mount.scan_interval.count() == 0) {
    answer.visibility = Visibility::kNeverByItself;
    answer.words = "stored; the client at " + mount.mount_point +
                   " will never see it by itself (scan interval 0: it scans only when it starts)." +
                   Remedy(mount.mount_point);
  } else {
    answer.visibility = Visibility::kAfterRescan;
    Schedule(mount, now, answer);
    answer.words = mount.mount_point + ": " + answer.words + Remedy(mount.mount_point);
  }
  return answer;
}

}  // namespace

std::vector<MountVisibility> JudgeVisibility(const MountSurvey& survey, const StoredBlocks& blocks,
                                             WallTime now) {
  std::vector<MountVisibility> answers;
  for (const MountSettings& mount : survey.mounts) {
    if (mount.format.uuid == blocks.uuid) answers.push_back(OfMount(mount, blocks, now));
  }
  for (const auto& [entry, error] : survey.unreadable) {
    // Behind a mount point whose client has ended there is nobody who could see anything.
    if (error.code == ErrorCode::kUnavailable) continue;
    if (entry.volume_name != blocks.volume_name) continue;
    answers.push_back({.mount_point = entry.mount_point,
                       .visibility = Visibility::kUnknown,
                       .words = "stored; when the client at " + entry.mount_point +
                                " sees it is unknown, its settings could not be read (" +
                                error.message + ")"});
  }
  if (answers.empty()) {
    answers.push_back(
        {.visibility = Visibility::kNextMount,
         .words = "visible at the next mount with --cache-dir=" + Joined(blocks.cache_directories) +
                  " (no mount of this volume is to be seen from here)"});
  }
  return answers;
}

std::string_view VisibilityName(Visibility visibility) {
  switch (visibility) {
    case Visibility::kNextMount: return "next_mount";
    case Visibility::kNow: return "now";
    case Visibility::kAfterRescan: return "after_rescan";
    case Visibility::kNeverByItself: return "never_by_itself";
    case Visibility::kUnknown: return "unknown";
    case Visibility::kMissing: return "missing";
  }
  return "unknown";
}

}  // namespace prewarm::agent
