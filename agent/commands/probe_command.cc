#include "agent/commands/probe_command.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <utility>

#include "common/async/offload.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

double Seconds(std::chrono::nanoseconds value) {
  return std::chrono::duration<double>(value).count();
}

boost::json::object DirectoryToJson(const ProbeReport::Directory& directory) {
  if (!directory.disk) return {{"path", directory.path}, {"error", directory.disk.error().message}};
  const auto& [path, facts, speed, disk_class, advice] = *directory.disk;
  boost::json::array sentences;
  for (const auto& sentence : advice) sentences.emplace_back(sentence);
  return {{"path", directory.path},
          {"class", DiskClassName(disk_class)},
          {"file_system", facts.file_system},
          {"device", facts.device},
          {"transport", facts.transport},
          {"boot_disk", facts.boot_disk},
          {"total_bytes", facts.total_bytes},
          {"free_bytes", facts.free_bytes},
          {"free_inodes", facts.free_inodes},
          {"write_bytes_per_second", speed.write_bytes_per_second},
          {"read_bytes_per_second", speed.read_bytes_per_second},
          {"block_p50_seconds", Seconds(speed.block_p50)},
          {"block_p99_seconds", Seconds(speed.block_p99)},
          {"direct_io", speed.direct},
          {"advice", std::move(sentences)}};
}

boost::json::object MountToJson(const ProbeReport::Mount& mount) {
  const auto& settings = mount.settings;
  boost::json::array directories;
  for (const auto& path : settings.cache_directories) directories.emplace_back(path);
  return {{"mount_point", settings.mount_point},
          {"volume", settings.format.name},
          {"uuid", settings.format.uuid},
          {"version", settings.version},
          {"cache_directories", std::move(directories)},
          {"cache_size", settings.cache_size},
          {"free_space_ratio", settings.free_space_ratio},
          {"scan_interval_seconds", Seconds(settings.scan_interval)},
          {"visible", VisibilityName(mount.visibility.visibility)},
          {"words", mount.visibility.words}};
}

std::string DirectoryToText(const ProbeReport::Directory& directory) {
  if (!directory.disk) return directory.path + ": " + directory.disk.error().message + "\n";
  const auto& [path, facts, speed, disk_class, advice] = *directory.disk;
  std::string text =
      directory.path + ": " + std::string(DiskClassName(disk_class)) + " (" + facts.file_system +
      (facts.device.empty() ? "" : " on " + facts.device) + ")\n  writes " +
      FormatBytes(speed.write_bytes_per_second) + "/s, reads " +
      FormatBytes(speed.read_bytes_per_second) + "/s, a durable 4 MiB block in " +
      FormatDuration(speed.block_p50) + " (99 %: " + FormatDuration(speed.block_p99) + ")\n  " +
      FormatBytes(facts.free_bytes) + " of " + FormatBytes(facts.total_bytes) + " free\n";
  for (const auto& sentence : advice) text += "  ! " + sentence + "\n";
  return text;
}

// What the measured disks mean for a store this fast.
std::vector<std::string> LinkAdvice(const ProbeReport& report) {
  std::vector<std::string> advice;
  const double link = report.link->BytesPerSecond();
  for (const auto& directory : report.directories) {
    if (!directory.disk) continue;
    const auto& speed = directory.disk->speed;
    if (static_cast<double>(speed.read_bytes_per_second) < link) {
      advice.push_back(directory.path +
                       " is read more slowly than the store: a cache there makes nothing faster");
    } else if (static_cast<double>(speed.write_bytes_per_second) < link) {
      advice.push_back(directory.path +
                       " is written more slowly than the store delivers: warming takes as long as "
                       "the disk does");
    }
  }
  return advice;
}

boost::json::object LinkToJson(const ProbeReport& report) {
  boost::json::array advice;
  for (const auto& sentence : LinkAdvice(report)) advice.emplace_back(sentence);
  return {{"store", report.link->store},
          {"requests", report.link->requests},
          {"bytes", report.link->bytes},
          {"bytes_per_second", report.link->BytesPerSecond()},
          {"request_p50_seconds", report.link->request_p50_seconds},
          {"request_p99_seconds", report.link->request_p99_seconds},
          {"advice", std::move(advice)}};
}

std::string LinkToText(const ProbeReport& report) {
  const auto duration = [](double seconds) {
    return FormatDuration(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
  };
  std::string text = report.link->store + ": " +
                     FormatBytes(static_cast<std::uint64_t>(report.link->BytesPerSecond())) +
                     "/s, a block in " + duration(report.link->request_p50_seconds) +
                     " (99 %: " + duration(report.link->request_p99_seconds) + ")\n";
  for (const auto& sentence : LinkAdvice(report)) text += "  ! " + sentence + "\n";
  return text;
}

}  // namespace

ProbeCommand::ProbeCommand(const CommandContext& context, ProbeOptions options)
    : context_(context), options_(std::move(options)) {}

Result<MountSurvey> ProbeCommand::Survey() const {
  if (options_.volume.mount.empty()) return SurveyMounts();
  MountSurvey survey;
  TRY(auto mount, ReadMount(options_.volume.mount));
  survey.mounts.push_back(std::move(mount));
  return survey;
}

Task<Result<ProbeReport>> ProbeCommand::Run() {
  CO_TRY(const auto survey, co_await Offload(context_.disk_pool, [this] { return Survey(); }));
  ProbeReport report;
  auto paths = options_.volume.cache.dirs;
  for (const auto& mount : survey.mounts) {
    // As if blocks were stored now exactly where this client looks for them.
    const StoredBlocks blocks{mount.format.uuid, mount.format.name, mount.cache_directories};
    MountSurvey alone;
    alone.mounts = {mount};
    const auto judged = JudgeVisibility(alone, blocks, context_.clock.WallNow());
    report.mounts.push_back({mount, judged.front()});
    if (!options_.volume.cache.dirs.empty() || !mount.disk_cache) continue;
    paths.insert(paths.end(), mount.cache_directories.begin(), mount.cache_directories.end());
  }
  for (const auto& [entry, error] : survey.unreadable) {
    report.problems.push_back(entry.mount_point + ": " + error.message);
  }
  std::ranges::sort(paths);
  paths.erase(std::ranges::unique(paths).begin(), paths.end());
  for (const auto& path : paths) {
    if (stopped_) break;
    auto disk = co_await Offload(context_.disk_pool, [&] { return ProbeDisk(path); });
    report.directories.push_back({path, std::move(disk)});
  }
  if (!stopped_ && !(options_.volume.meta.empty() && options_.volume.mount.empty())) {
    auto link = co_await MeasureLink();
    if (link) {
      report.link = *std::move(link);
    } else {
      report.problems.push_back("store: " + link.error().message);
    }
  }
  co_return report;
}

Task<Result<LinkReport>> ProbeCommand::MeasureLink() {
  CO_TRY(const auto session,
         co_await VolumeSession::Open(context_, options_.volume, CacheUse::kNone));
  co_return co_await ProbeLink(context_, *session);
}

int ProbeReport::ExitCode() const {
  const auto failed = static_cast<std::size_t>(std::ranges::count_if(
      directories, [](const Directory& directory) { return !directory.disk; }));
  if (failed == 0 && problems.empty()) return 0;
  return failed < directories.size() || !mounts.empty() || link ? 3 : 1;
}

boost::json::object ToJson(const ProbeReport& report) {
  boost::json::array directories;
  for (const auto& directory : report.directories) {
    directories.push_back(DirectoryToJson(directory));
  }
  boost::json::array mounts;
  for (const auto& mount : report.mounts) mounts.push_back(MountToJson(mount));
  boost::json::array problems;
  for (const auto& problem : report.problems) problems.emplace_back(problem);
  boost::json::object result{{"directories", std::move(directories)},
                             {"mounts", std::move(mounts)},
                             {"problems", std::move(problems)}};
  if (report.link) result["link"] = LinkToJson(report);
  return result;
}

std::string ToText(const ProbeReport& report) {
  std::string text;
  for (const auto& directory : report.directories) text += DirectoryToText(directory);
  if (report.mounts.empty()) {
    text += "No JuiceFS mount here: whatever is warmed now is found at the next mount.\n";
  }
  for (const auto& mount : report.mounts) {
    text += mount.settings.mount_point + ": volume " + mount.settings.format.name + ", client " +
            mount.settings.version + "\n  blocks warmed now: " + mount.visibility.words + "\n";
  }
  if (report.link) text += LinkToText(report);
  for (const auto& problem : report.problems) text += "! " + problem + "\n";
  if (report.directories.empty())
    text += "No cache directory measured: name one with --cache-dir.\n";
  return text;
}

}  // namespace prewarm::agent
