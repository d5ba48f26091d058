// What `warm` did, as text for a person and as one JSON document.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/cache/block_cache.h"
#include "agent/mount/visibility.h"
#include "agent/warm/presence.h"
#include "agent/warm/tally.h"

namespace prewarm::agent {

enum class WarmStatus : std::uint8_t { kDone, kPartial, kFailed, kInterrupted, kPlanned };

struct WarmReport {
  WarmStatus status = WarmStatus::kFailed;
  std::string volume_name;
  std::string volume_uuid;
  std::string store;
  std::uint64_t files = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t skipped_symlinks = 0;
  std::uint64_t skipped_special = 0;
  std::uint64_t planned_blocks = 0;
  std::uint64_t planned_bytes = 0;
  PlannedWork work;  // before the run
  std::vector<DirectoryUsage> directories;
  Tally::Counts counts;
  std::uint64_t not_attempted = 0;  // missing blocks that an abort or a stop left
  double seconds = 0;               // from first request to last name
  double total_seconds = 0;         // the whole command
  double cpu_seconds = 0;
  std::uint64_t peak_memory_bytes = 0;  // resident
  std::vector<MountVisibility> visibility;
  std::vector<std::string> errors;  // a few messages

  [[nodiscard]] int ExitCode() const;
};

boost::json::object ToJson(const WarmReport& report);
std::string ToText(const WarmReport& report);

}  // namespace prewarm::agent
