#include "agent/tasks/node_survey.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/cache/cached_names.h"
#include "agent/cache/directory_set.h"
#include "agent/cache/file_descriptor.h"
#include "agent/tasks/task_visibility.h"
#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/juicefs/cache_layout.h"

namespace prewarm::agent {
namespace {

namespace fs = std::filesystem;

constexpr Duration kRoomInterval = std::chrono::seconds(5);
constexpr int kRoomLooksPerVolumeLook = 12;
constexpr int kRoomLooksAfterTask = 3;  // at least, between two looks at volumes
constexpr Duration kMountAge = std::chrono::seconds(30);
constexpr double kMargin = 0.05;  // as CacheOptions::free_space_margin

struct RoomLook {
  std::vector<DirectoryState> directories;
  std::optional<std::string> unusable;
};

// The directory, or the nearest folder above it that exists.
fs::path NearestFolder(fs::path path) {
  std::error_code error;
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

// What the client would expand a --cache-dir to, without the volume.
Result<std::vector<std::string>> Expand(const std::vector<std::string>& entries) {
  constexpr std::string_view kSelf = "/.";
  TRY(auto paths, ExpandDirectories(entries, "."));
  for (auto& path : paths) path.resize(path.size() - kSelf.size());
  return paths;
}

// Directories on one file system share its room evenly: a sum over them is then true.
void ShareRoom(std::vector<DirectoryState>& directories, const std::vector<dev_t>& devices) {
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const auto sharers = static_cast<std::uint64_t>(std::ranges::count(devices, devices[i]));
    auto& directory = directories[i];
    directory.available_bytes =
        std::min(directory.available_bytes / sharers, directory.capacity_bytes);
    directory.available_inodes /= sharers;
  }
}

RoomLook LookAtDirectories(const std::vector<std::string>& entries, const CacheConfig& config) {
  RoomLook look;
  if (entries.empty()) {
    look.unusable = "no cache directory is configured (cache.cache-dir)";
    return look;
  }
  auto paths = Expand(entries);
  if (!paths) {
    look.unusable = paths.error().message;
    return look;
  }
  std::vector<dev_t> devices;
  const double floor = std::max(config.free_space_ratio + kMargin, config.min_free_ratio);
  for (const auto& path : *paths) {
    const auto folder = NearestFolder(path);
    struct statvfs room{};
    struct stat about{};
    if (::statvfs(folder.c_str(), &room) != 0 || ::stat(folder.c_str(), &about) != 0 ||
        !S_ISDIR(about.st_mode) || ::access(folder.c_str(), W_OK | X_OK) != 0) {
      look.unusable = path + " is not a directory that can be written, and cannot become one";
      continue;
    }
    const auto total = static_cast<double>(room.f_blocks) * static_cast<double>(room.f_frsize);
    DirectoryState state;
    state.path = path;
    state.free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
    const auto kept = static_cast<std::uint64_t>(total * floor);
    state.available_bytes = state.free_bytes - std::min(state.free_bytes, kept);
    state.available_inodes = room.f_favail;
    const auto fillable = static_cast<std::uint64_t>(total * (1 - config.free_space_ratio));
    state.capacity_bytes = std::min(config.size / paths->size(), fillable);
    look.directories.push_back(std::move(state));
    devices.push_back(about.st_dev);
  }
  ShareRoom(look.directories, devices);
  return look;
}

using CachedVolumes = std::map<std::string, CachedBlocks>;  // by UUID

CachedVolumes CountVolumes(const std::vector<std::string>& directories) {
  CachedVolumes volumes;
  for (const auto& directory : directories) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      const auto name = at->path().filename().string();
      if (!juicefs::IsUuid(name)) continue;
      const FileDescriptor folder(
          ::open(at->path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      const auto cached = folder ? CountCachedBlocks(folder.get()) : Result<CachedBlocks>();
      if (!folder || !cached) continue;
      volumes[name].blocks += cached->blocks;
      volumes[name].bytes += cached->bytes - cached->blocks * kClientBlockOverhead;
    }
  }
  return volumes;
}

std::string DiskName(const DiskReport& report) {
  switch (report.disk_class) {
    case DiskClass::kLocalNvme: return "nvme";
    case DiskClass::kNetworkDisk: return "network";
    case DiskClass::kMemory: return "memory";
    case DiskClass::kBootDisk: return "boot";
    case DiskClass::kOtherDisk: break;
  }
  if (report.facts.transport == "nvme") return "nvme";
  if (!report.facts.rotational) return "unknown";
  return *report.facts.rotational ? "hdd" : "ssd";
}

}  // namespace

Task<void> NodeSurvey::LookAtRoom() {
  const auto entries = context_.entries();
  auto look = co_await Offload(
      context_.pool, [this, &entries] { return LookAtDirectories(entries, context_.cache); });
  for (auto& directory : look.directories) {
    if (const auto disk = disks_.find(directory.path); disk != disks_.end()) {
      directory.disk = disk->second;
    }
  }
  if (look.unusable != unusable_ && look.unusable) {
    context_.log.Warn("cache_unusable", {{"why", *look.unusable}});
  }
  directories_ = std::move(look.directories);
  unusable_ = std::move(look.unusable);
}

Task<void> NodeSurvey::LookAtVolumes() {
  std::vector<std::string> paths;
  paths.reserve(directories_.size());
  for (const auto& directory : directories_) paths.push_back(directory.path);
  const auto cached = co_await Offload(context_.pool, [&paths] { return CountVolumes(paths); });
  const auto mounts = co_await context_.mounts.LookLately(kMountAge);
  std::map<std::string, VolumeState> volumes;
  for (const auto& [uuid, blocks] : cached) {
    volumes[uuid] = {.uuid = uuid, .cached_blocks = blocks.blocks, .cached_bytes = blocks.bytes};
  }
  for (const auto& mount : mounts->mounts) {
    volumes[mount.format.uuid].uuid = mount.format.uuid;
    volumes[mount.format.uuid].mounted = true;
  }
  volumes_.clear();
  for (auto& [uuid, volume] : volumes) {
    const auto seen = JudgeVisibility(*mounts, {uuid, "", paths}, context_.clock.WallNow());
    volume.adoption = JudgeAdoption(seen);
    volume.words = seen.front().words;
    volumes_.push_back(std::move(volume));
  }
}

Task<void> NodeSurvey::Look() {
  co_await LookAtRoom();
  co_await LookAtVolumes();
}

Task<void> NodeSurvey::Follow() {
  auto known = context_.ended();
  for (int looks = 1; co_await SleepFor(kRoomInterval); ++looks) {
    co_await LookAtRoom();
    const auto ended = context_.ended();
    if (looks < (ended == known ? kRoomLooksPerVolumeLook : kRoomLooksAfterTask)) continue;
    co_await LookAtVolumes();
    known = ended;
    looks = 0;
  }
}

Task<void> NodeSurvey::MeasureDisks() {
  std::vector<std::string> paths;
  paths.reserve(directories_.size());
  for (const auto& directory : directories_) paths.push_back(directory.path);
  for (const auto& path : paths) {
    if (co_await Stopping()) co_return;
    const auto report = co_await Offload(
        context_.pool, [&path] { return ProbeDisk(NearestFolder(path).string()); });
    if (!report) {
      context_.log.Warn("disk_not_measured", {{"directory", path}, {"why", report.error()}});
      continue;
    }
    disks_[path] = DiskName(*report);
    measured_.disk_write += report->speed.write_bytes_per_second;
    measured_.disk_read += report->speed.read_bytes_per_second;
    for (const auto& advice : report->advice) {
      context_.log.Warn("disk_advice", {{"directory", path}, {"advice", advice}});
    }
    context_.log.Info("disk_measured",
                      {{"directory", path},
                       {"disk", disks_[path]},
                       {"write_bytes_per_second", report->speed.write_bytes_per_second},
                       {"read_bytes_per_second", report->speed.read_bytes_per_second}});
  }
  co_await LookAtRoom();
}

}  // namespace prewarm::agent
