#include "tests/rig/disposable_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "tests/rig/child_process.h"

namespace prewarm::rig {
namespace {

bool Run(std::vector<std::string> argv) {
  return ChildProcess(std::move(argv), "/dev/null").Wait() == 0;
}

// Memory, if it has room: tests cut power and sync all the time, and the machine is shared.
std::filesystem::path ImageFolder(std::uint64_t bytes) {
  struct statvfs memory{};
  const std::filesystem::path shm("/dev/shm");
  if (::statvfs(shm.c_str(), &memory) == 0 && memory.f_bavail * memory.f_frsize > 2 * bytes) {
    return shm;
  }
  return std::filesystem::temp_directory_path();
}

}  // namespace

bool EnterOwnMountNamespace() {
  static const bool entered = ::unshare(CLONE_NEWNS) == 0 &&
                              ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return entered;
}

TmpfsDisk::TmpfsDisk(std::filesystem::path mount_point, const std::string& options)
    : mount_point_(std::move(mount_point)) {
  std::filesystem::create_directories(mount_point_);
  mounted_ = EnterOwnMountNamespace() &&
             ::mount("tmpfs", mount_point_.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

TmpfsDisk::~TmpfsDisk() {
  if (mounted_) ::umount2(mount_point_.c_str(), MNT_DETACH);
}

LoopDisk::LoopDisk(std::filesystem::path mount_point, const std::string& type,
                   std::uint64_t mebibytes)
    : mount_point_(std::move(mount_point)), type_(type) {
  std::filesystem::create_directories(mount_point_);
  std::string pattern = (ImageFolder(mebibytes << 20) / "prewarm-disk-XXXXXX").string();
  const int fd = ::mkstemp(pattern.data());
  if (fd < 0) return;
  image_ = pattern;
  const bool sized = ::ftruncate(fd, static_cast<off_t>(mebibytes << 20)) == 0;
  ::close(fd);
  const std::string force = type_ == "xfs" ? "-f" : "-F";
  if (sized && EnterOwnMountNamespace() && Run({"mkfs." + type_, "-q", force, image_.string()})) {
    Mount();
  }
}

LoopDisk::~LoopDisk() {
  if (mounted_) ::umount2(mount_point_.c_str(), MNT_DETACH);
  if (!image_.empty()) ::unlink(image_.c_str());
}

bool LoopDisk::Mount() {
  mounted_ = Run({"mount", "-o", "loop", "-t", type_, image_.string(), mount_point_.string()});
  return mounted_;
}

bool LoopDisk::Unmount() {
  // Busy for a moment after the last process on it was killed.
  const bool done = WaitFor([&] { return ::umount2(mount_point_.c_str(), 0) == 0; });
  if (done) mounted_ = false;
  return done;
}

bool LoopDisk::Remount(const std::string& options) {
  return Run({"mount", "-o", "remount," + options, mount_point_.string()});
}

bool LoopDisk::CutPower() {
  constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);
  std::uint32_t without_flushing_the_log = 2;
  const int fd = ::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool cut = ::ioctl(fd, kShutdown, &without_flushing_the_log) == 0;
  ::close(fd);
  return cut;
}

}  // namespace prewarm::rig
