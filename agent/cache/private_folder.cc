#include "agent/cache/private_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/cache/crash_site.h"
#include "agent/cache/disk_error.h"
#include "agent/cache/folders.h"
#include "common/juicefs/cache_layout.h"

namespace prewarm::agent {
namespace {

constexpr std::string_view kMarkerEnding = ".writer";
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

std::string NewWriterId() {
  std::uint64_t random = 0;
  while (::getrandom(&random, sizeof random, 0) != sizeof random) {
  }
  return fmt::format("{:016x}", random);
}

std::vector<std::string> NamesIn(int folder) {
  std::vector<std::string> names;
  const int copy = ::openat(folder, ".", kFolderFlags);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) return names;
  while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  ::closedir(stream);
  return names;
}

// A marker that we hold locked and that still has its name: between making and locking it, somebody
// who cleans up may have taken it for a dead one.
FileDescriptor LockedMarker(int folder, const std::string& writer) {
  const std::string name = writer + std::string(kMarkerEnding);
  FileDescriptor marker(
      ::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!marker || ::flock(marker.get(), LOCK_EX | LOCK_NB) != 0) return {};
  struct stat file{};
  if (::fstat(marker.get(), &file) != 0 || file.st_nlink == 0) return {};
  return marker;
}

}  // namespace

PrivateFile::PrivateFile(std::shared_ptr<PrivateFolder> folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)) {}

PrivateFile::~PrivateFile() {
  if (!moved_) ::unlinkat(folder_->fd(), name_.c_str(), 0);
}

int PrivateFile::MoveTo(int parent, const std::string& name) {
  if (::renameat2(folder_->fd(), name_.c_str(), parent, name.c_str(), RENAME_NOREPLACE) != 0) {
    return errno;
  }
  moved_ = true;
  return 0;
}

PrivateFolder::PrivateFolder(FileDescriptor folder, FileDescriptor marker, std::string writer,
                             std::string path)
    : folder_(std::move(folder)),
      marker_(std::move(marker)),
      writer_(std::move(writer)),
      path_(std::move(path)) {}

PrivateFolder::~PrivateFolder() {
  ::unlinkat(folder_.get(), (writer_ + std::string(kMarkerEnding)).c_str(), 0);
}

Result<std::shared_ptr<PrivateFolder>> PrivateFolder::Open(int volume, const std::string& path) {
  const std::string name(juicefs::kPrewarmFolder);
  const std::string full = path + "/" + name;
  if (::mkdirat(volume, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return DiskError(errno, full, volume);
  }
  int error_number = 0;
  FileDescriptor folder = OpenBeneath(volume, name, kFolderFlags, error_number);
  if (!folder) return DiskError(error_number, full, volume);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const std::string writer = NewWriterId();
    FileDescriptor marker = LockedMarker(folder.get(), writer);
    if (!marker) continue;
    std::shared_ptr<PrivateFolder> made(
        new PrivateFolder(std::move(folder), std::move(marker), writer, full));
    TRY_STATUS(made->ProbeRename());
    return made;
  }
  return DiskError(errno, full + ": cannot make and lock a file", volume);
}

Status PrivateFolder::ProbeRename() {
  TRY(NewFile probe, Create(0600));
  const std::string name = writer_ + "-probe";
  const int error = probe.name->MoveTo(fd(), name);
  if (error == 0) {
    ::unlinkat(fd(), name.c_str(), 0);
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              path_ +
                  ": this file system has neither files without a name (O_TMPFILE) nor renames "
                  "that do not replace, so blocks cannot be published on it safely: " +
                  ErrnoError(error, "rename").message);
}

Result<PrivateFolder::NewFile> PrivateFolder::Create(mode_t mode) {
  std::string name = fmt::format("{}-{}", writer_, next_.fetch_add(1));
  FileDescriptor fd(::openat(folder_.get(), name.c_str(),
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return DiskError(errno, path_ + "/" + name, folder_.get());
  CrashSite("private_file_made");
  return NewFile{std::move(fd), std::make_unique<PrivateFile>(shared_from_this(), std::move(name))};
}

void PrivateFolder::RemoveLeftovers(int volume) {
  int error_number = 0;
  const FileDescriptor folder =
      OpenBeneath(volume, juicefs::kPrewarmFolder, kFolderFlags, error_number);
  if (!folder) return;
  const auto names = NamesIn(folder.get());
  for (const std::string& name : names) {
    if (!name.ends_with(kMarkerEnding)) continue;
    const FileDescriptor marker(
        ::openat(folder.get(), name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    if (!marker || ::flock(marker.get(), LOCK_EX | LOCK_NB) != 0) continue;  // alive
    const std::string prefix = name.substr(0, name.size() - kMarkerEnding.size()) + "-";
    for (const std::string& file : NamesIn(folder.get())) {
      if (file.starts_with(prefix)) ::unlinkat(folder.get(), file.c_str(), 0);
    }
    ::unlinkat(folder.get(), name.c_str(), 0);
  }
}

}  // namespace prewarm::agent
