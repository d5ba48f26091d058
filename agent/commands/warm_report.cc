#include "agent/commands/warm_report.h"

#include <boost/json/array.hpp>
#include <string_view>

#include "common/base/units.h"

namespace prewarm::agent {
namespace {

std::string_view StatusName(WarmStatus status) {
  switch (status) {
    case WarmStatus::kDone: return "done";
    case WarmStatus::kPartial: return "partial";
    case WarmStatus::kFailed: return "failed";
    case WarmStatus::kInterrupted: return "interrupted";
    case WarmStatus::kPlanned: return "planned";
  }
  return "failed";
}

boost::json::object ByReason(const std::array<std::uint64_t, Tally::kReasons>& counts) {
  boost::json::object result;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) result[ReasonName(static_cast<Reason>(i))] = counts[i];
  }
  return result;
}

double PerSecond(std::uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
}

double CpuPerGiB(const WarmReport& report) {
  const double gib = static_cast<double>(report.counts.fetched_bytes) / (1ULL << 30);
  return gib > 0 ? report.cpu_seconds / gib : 0;
}

std::string Fixed(double value, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

// "2,048 blocks, 8.00 GiB"
std::string Amount(std::uint64_t blocks, std::uint64_t bytes) {
  return FormatCount(blocks) + (blocks == 1 ? " block, " : " blocks, ") + FormatBytes(bytes);
}

boost::json::array DirectoriesToJson(const WarmReport& report) {
  boost::json::array result;
  for (std::size_t i = 0; i < report.directories.size(); ++i) {
    const auto& directory = report.directories[i];
    const auto missing = i < report.work.directories.size() ? report.work.directories[i]
                                                            : PlannedWork::PerDirectory{};
    result.push_back({{"path", directory.path},
                      {"cached_blocks", directory.cached_blocks},
                      {"cached_bytes", directory.cached_bytes},
                      {"capacity_bytes", directory.capacity_bytes},
                      {"available_bytes", directory.available_bytes},
                      {"free_bytes", directory.free_bytes},
                      {"floor_bytes", directory.floor_bytes},
                      {"missing_blocks", missing.missing_blocks},
                      {"missing_bytes", missing.missing_bytes}});
  }
  return result;
}

boost::json::array VisibilityToJson(const std::vector<MountVisibility>& mounts) {
  boost::json::array result;
  for (const auto& mount : mounts) {
    boost::json::object entry{{"mount_point", mount.mount_point},
                              {"visible", VisibilityName(mount.visibility)},
                              {"words", mount.words}};
    const auto add_time = [&](const char* name, const std::optional<WallTime>& when) {
      if (when) entry[name] = std::chrono::system_clock::to_time_t(*when);
    };
    add_time("next_scan", mount.next_scan);
    add_time("latest_scan", mount.latest_scan);
    result.push_back(std::move(entry));
  }
  return result;
}

std::string PlanText(const WarmReport& report) {
  std::string text = "Plan for volume " + report.volume_name + " (" + report.store + ")\n";
  text += "  files     " + FormatCount(report.files) + ", " + FormatBytes(report.file_bytes) + "\n";
  text += "  needed    " + Amount(report.planned_blocks, report.planned_bytes) + "\n";
  text += "  present   " + Amount(report.work.present_blocks, report.work.present_bytes) + "\n";
  text += "  missing   " + Amount(report.work.missing_blocks, report.work.missing_bytes) + "\n";
  for (std::size_t i = 0; i < report.directories.size(); ++i) {
    const auto& directory = report.directories[i];
    const auto& missing = report.work.directories[i];
    const auto free_after =
        directory.free_bytes - std::min(directory.free_bytes, missing.missing_bytes);
    text += "  " + directory.path + ": " + Amount(missing.missing_blocks, missing.missing_bytes) +
            " to write, " + FormatBytes(free_after) + " free after (at least " +
            FormatBytes(directory.floor_bytes) + " must stay free)\n";
  }
  return text;
}

std::string FailuresText(const WarmReport& report) {
  std::string text;
  const auto& counts = report.counts;
  if (counts.failed_blocks > 0) {
    text += "  failed    " + FormatCount(counts.failed_blocks) + " blocks:";
    for (std::size_t i = 0; i < Tally::kReasons; ++i) {
      if (counts.failed_by_reason[i] == 0) continue;
      text += " " + std::string(ReasonName(static_cast<Reason>(i))) + " " +
              FormatCount(counts.failed_by_reason[i]);
    }
    text += "\n";
  }
  if (report.not_attempted > 0) {
    text += "  not tried " + FormatCount(report.not_attempted) + " blocks\n";
  }
  for (const auto& error : report.errors) text += "  ! " + error + "\n";
  return text;
}

}  // namespace

int WarmReport::ExitCode() const {
  switch (status) {
    case WarmStatus::kDone:
    case WarmStatus::kPlanned: return 0;
    case WarmStatus::kPartial: return 3;
    case WarmStatus::kFailed: return 1;
    case WarmStatus::kInterrupted:
      return work.present_blocks + counts.fetched_blocks + counts.found_blocks > 0 ? 3 : 1;
  }
  return 1;
}

boost::json::object ToJson(const WarmReport& report) {
  const auto& counts = report.counts;
  boost::json::object result{
      {"status", StatusName(report.status)},
      {"volume", {{"name", report.volume_name}, {"uuid", report.volume_uuid}}},
      {"store", report.store},
      {"files", report.files},
      {"bytes", report.file_bytes},
      {"skipped", {{"symlinks", report.skipped_symlinks}, {"special", report.skipped_special}}},
      {"blocks",
       {{"planned", report.planned_blocks},
        {"planned_bytes", report.planned_bytes},
        {"already_there", report.work.present_blocks + counts.found_blocks},
        {"missing", report.work.missing_blocks},
        {"missing_bytes", report.work.missing_bytes},
        {"fetched", counts.fetched_blocks},
        {"failed", counts.failed_blocks},
        {"not_attempted", report.not_attempted},
        {"failed_by_reason", ByReason(counts.failed_by_reason)},
        {"unverified_source", counts.unverified_blocks}}},
      {"bytes_fetched", counts.fetched_bytes},
      {"bytes_received", counts.wire_bytes},
      {"requests", counts.requests},
      {"retries", counts.retries},
      {"errors_by_reason", ByReason(counts.errors_by_reason)},
      {"seconds", report.seconds},
      {"total_seconds", report.total_seconds},
      {"bytes_per_second", PerSecond(counts.fetched_bytes, report.seconds)},
      {"cpu_seconds", report.cpu_seconds},
      {"cpu_seconds_per_gib", CpuPerGiB(report)},
      {"peak_memory_bytes", report.peak_memory_bytes},
      {"directories", DirectoriesToJson(report)},
      {"visibility", VisibilityToJson(report.visibility)},
  };
  boost::json::array errors;
  for (const auto& error : report.errors) errors.emplace_back(error);
  result["errors"] = std::move(errors);
  return result;
}

std::string ToText(const WarmReport& report) {
  if (report.status == WarmStatus::kPlanned) return PlanText(report);
  const auto& counts = report.counts;
  std::string text =
      "Volume " + report.volume_name + ": " + std::string(StatusName(report.status)) + "\n";
  text += "  files     " + FormatCount(report.files) + ", " + FormatBytes(report.file_bytes) + "\n";
  text += "  fetched   " + Amount(counts.fetched_blocks, counts.fetched_bytes);
  if (counts.fetched_blocks > 0) {
    text +=
        " in " + Fixed(report.seconds, 2) + " s, " +
        FormatBytes(static_cast<std::uint64_t>(PerSecond(counts.fetched_bytes, report.seconds))) +
        "/s, " + Fixed(CpuPerGiB(report), 2) + " CPU s/GiB";
  }
  text += "\n  present   " + FormatCount(report.work.present_blocks + counts.found_blocks) +
          " blocks were already there\n";
  if (counts.retries > 0) text += "  retries   " + FormatCount(counts.retries) + "\n";
  if (counts.unverified_blocks > 0) {
    text += "  note      the store gives no checksum for " + FormatCount(counts.unverified_blocks) +
            " of these blocks; only their length was checked\n";
  }
  text += FailuresText(report);
  for (const auto& mount : report.visibility) text += "  client    " + mount.words + "\n";
  return text;
}

}  // namespace prewarm::agent
