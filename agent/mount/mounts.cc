// The edge of this folder: asks the kernel and the mounts themselves.
#include "agent/mount/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <thread>

#include "agent/mount/mount_process.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

constexpr std::chrono::seconds kReadLimit{2};
constexpr std::size_t kLongestConfig = 1 << 20;

// Runs a call that may never return: every system call on a hung FUSE mount sleeps in the kernel,
// out of reach of signals and cancellation. So it runs on a thread of its own which is detached
// from the start, and which shares ownership of everything that it touches; whoever gives up first,
// the caller at the deadline or the thread at its end, leaves the other with valid memory. `call`
// must own what it uses.
template <class T>
Result<T> WithinReadLimit(const std::string& path, std::function<Result<T>()> call) {
  auto answer = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = answer->get_future();
  std::thread([answer, call = std::move(call)] { answer->set_value(call()); }).detach();
  if (future.wait_for(kReadLimit) == std::future_status::ready) return future.get();
  return Fail(ErrorCode::kTimeout, path + " did not answer within " + FormatDuration(kReadLimit),
              Reason::kTimeout);
}

struct FileOnMount {
  std::string text;
  std::string device;  // as in mountinfo
};

struct Closer {
  int fd;
  ~Closer() { ::close(fd); }
};

Error ReadError(int error_number, const std::string& what) {
  // What a client that was killed leaves behind, or whoever was just asking it is told: nobody
  // serves this place, and nobody will again before it is unmounted.
  if (error_number == ENOTCONN || error_number == ECONNABORTED) {
    return Fail(ErrorCode::kUnavailable, what + ": its client has ended; unmount what it left",
                Reason::kConnection);
  }
  return ErrnoError(error_number, what);
}

Result<FileOnMount> ReadWhole(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return ReadError(errno, "opening " + path);
  const Closer closer{fd};
  struct stat status{};
  if (::fstat(fd, &status) != 0) return ReadError(errno, "reading " + path);
  FileOnMount file;
  file.device = std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  std::array<char, 64 << 10> piece{};
  while (file.text.size() < kLongestConfig) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ReadError(errno, "reading " + path);
    if (count == 0) return file;
    file.text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return Fail(ErrorCode::kCorrupt, path + " is longer than " + FormatBytes(kLongestConfig));
}

// `.config`, or `.jfs.config` where the mount was told to prefix its own files.
Result<FileOnMount> ReadConfigFile(const std::string& mount_point) {
  const std::string folder = mount_point == "/" ? "" : mount_point;
  Result<FileOnMount> plain = ReadWhole(folder + "/.config");
  if (plain || plain.error().code != ErrorCode::kNotFound) return plain;
  Result<FileOnMount> prefixed = ReadWhole(folder + "/.jfs.config");
  return prefixed ? std::move(prefixed) : std::move(plain);
}

Result<MountSettings> ReadEntry(const MountEntry& entry) {
  const std::string& mount_point = entry.mount_point;
  TRY(const FileOnMount file, WithinReadLimit<FileOnMount>(mount_point, [mount_point] {
        return ReadConfigFile(mount_point);
      }));
  if (file.device != entry.device) {
    return Fail(ErrorCode::kNotFound, mount_point + " is hidden below another mount");
  }
  TRY(MountSettings settings, ParseMountConfig(file.text, mount_point));
  settings.started = InspectMountProcess(settings.pid, settings.own_mount_point).started;
  return settings;
}

std::vector<MountEntry> MountTable() {
  std::ifstream file("/proc/self/mountinfo", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return ParseMountInfo(text);
}

Result<std::string> RealPath(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return ErrnoError(errno, path);
  const std::unique_ptr<char, decltype(&std::free)> owner(resolved, &std::free);
  return std::string(resolved);
}

bool IsInside(std::string_view path, std::string_view folder) {
  if (!path.starts_with(folder)) return false;
  return folder.ends_with('/') || path.size() == folder.size() || path[folder.size()] == '/';
}

}  // namespace

MountSurvey SurveyMounts() { return SurveyOf({MountTable, ReadEntry}); }

Result<MountSettings> ReadMount(const std::string& path) {
  TRY(const std::string resolved,
      WithinReadLimit<std::string>(path, [path] { return RealPath(path); }));
  std::optional<MountEntry> innermost;
  for (MountEntry& entry : MountTable()) {
    // Of two mounts on one place the later line is the one on top.
    const bool deeper = !innermost || entry.mount_point.size() >= innermost->mount_point.size();
    if (deeper && IsInside(resolved, entry.mount_point)) innermost = std::move(entry);
  }
  if (!innermost) return Fail(ErrorCode::kNotFound, path + " is not inside a JuiceFS mount");
  if (innermost->root != "/") {
    return Fail(ErrorCode::kNotFound, path + " is a bind mount of " + innermost->root +
                                          " of a JuiceFS mount; name the mount itself");
  }
  return ReadEntry(*innermost);
}

std::optional<std::string> MetadataUrlOf(const MountSettings& mount) {
  return InspectMountProcess(mount.pid, mount.own_mount_point).metadata_url;
}

}  // namespace prewarm::agent
