#include "agent/cache/cache_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "agent/cache/disk_error.h"
#include "agent/cache/random_uuid.h"
#include "common/juicefs/cache_layout.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kUmask = 022;
constexpr std::size_t kLongestLock = 4096;

// Makes the folders on the way to `path` and says whether the last one is new.
Result<bool> MakePath(const std::string& path, mode_t folder_mode) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const bool made = ::mkdir(part.c_str(), folder_mode) == 0;
    if (made && ::chmod(part.c_str(), folder_mode) != 0 && errno != EPERM) {
      return ErrnoError(errno, "making " + part);
    }
    // A parent on a read-only file system exists all the same: only the last word counts.
    if (!made && errno != EEXIST && (end == std::string::npos || errno != EROFS)) {
      return ErrnoError(errno, "making " + part);
    }
    if (end == std::string::npos) return made;
  }
}

BlockState JudgeState(const struct stat& file, std::uint64_t data_bytes) {
  if (!S_ISREG(file.st_mode)) return BlockState::kNotAFile;
  if (file.st_nlink > 1) return BlockState::kStaged;
  const auto size = static_cast<std::uint64_t>(file.st_size);
  const bool whole = size == data_bytes + juicefs::TrailerBytes(data_bytes) || size == data_bytes;
  return whole ? BlockState::kWhole : BlockState::kWrongSize;
}

}  // namespace

BlockPlace PlaceOf(juicefs::BlockId block, bool hash_prefix) {
  const std::string key = juicefs::BlockKey(block, hash_prefix);
  const std::size_t slash = key.rfind('/');
  BlockPlace place;
  place.folder.reserve(juicefs::kRawFolder.size() + 1 + slash);
  place.folder.append(juicefs::kRawFolder).append("/").append(key, 0, slash);
  place.name = key.substr(slash + 1);
  return place;
}

Result<std::unique_ptr<CacheDirectory>> CacheDirectory::Open(std::string path,
                                                             const CacheOptions& options) {
  std::unique_ptr<CacheDirectory> directory(new CacheDirectory(std::move(path)));
  TRY_STATUS(directory->OpenVolume(options.create, juicefs::DirectoryMode(options.file_mode)));
  if (!directory->exists()) {
    TRY_STATUS(directory->OpenAbove());
    return directory;
  }
  if (options.create) {
    TRY_STATUS(directory->PrepareForWriting(options));
  } else {
    directory->folders_ = std::make_unique<Folders>(directory->volume_.get(), directory->path_,
                                                    directory->ownership_);
  }
  return directory;
}

Status CacheDirectory::OpenVolume(bool create, mode_t folder_mode) {
  const int flags = kFolderFlags | O_NOFOLLOW;
  volume_ = FileDescriptor(::open(path_.c_str(), flags));
  if (!volume_ && errno == ENOENT && create) {
    TRY_STATUS(MakePath(path_, folder_mode));
    volume_ = FileDescriptor(::open(path_.c_str(), flags));
  }
  if (!volume_) {
    if (errno == ENOENT && !create) return {};
    if (errno == ELOOP || errno == ENOTDIR) {
      return Fail(ErrorCode::kInvalidArgument,
                  path_ + " is a symlink or a file; it must be a directory");
    }
    return ErrnoError(errno, "opening " + path_);
  }
  if (::fstat(volume_.get(), &identity_) != 0) return ErrnoError(errno, "stat " + path_);
  return {};
}

Status CacheDirectory::OpenAbove() {
  std::filesystem::path above(path_);
  do {
    above = above.parent_path();
    above_ = FileDescriptor(::open(above.c_str(), kFolderFlags));
  } while (!above_ && errno == ENOENT && above.has_relative_path());
  if (!above_ || ::fstat(above_.get(), &identity_) != 0) {
    return ErrnoError(errno, "opening " + above.string());
  }
  return {};
}

Status CacheDirectory::PrepareForWriting(const CacheOptions& options) {
  Ownership& ownership = ownership_;
  ownership.uid = identity_.st_uid;
  ownership.gid = identity_.st_gid;
  const bool foreign = identity_.st_uid != ::geteuid() || identity_.st_gid != ::getegid();
  ownership.give_away = foreign && ::geteuid() == 0;
  ownership.file_mode = options.file_mode & ~kUmask;
  ownership.folder_mode = juicefs::DirectoryMode(options.file_mode);
  folders_ = std::make_unique<Folders>(volume_.get(), path_, ownership);
  TRY(writer_, BlockWriter::Open(volume_.get(), path_, ownership));
  return {};
}

bool CacheDirectory::IsSameAs(const CacheDirectory& other) const {
  return exists() && other.exists() && identity_.st_dev == other.identity_.st_dev &&
         identity_.st_ino == other.identity_.st_ino;
}

Result<BlockState> CacheDirectory::StateOf(juicefs::BlockId block, const BlockPlace& place) {
  if (!exists()) return BlockState::kAbsent;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto folder = folders_->Find(place.folder);
    if (!folder && folder.error().code == ErrorCode::kNotFound) return BlockState::kAbsent;
    if (!folder) return Error(std::move(folder).error());
    struct stat file{};
    if (::fstatat((*folder)->get(), place.name.c_str(), &file, AT_SYMLINK_NOFOLLOW) == 0) {
      return JudgeState(file, block.size);
    }
    if (errno != ENOENT) return DiskError(errno, path_ + "/" + place.name, volume_.get());
    // The client's scanner may have removed the folder that we hold, and the client made it anew.
    if (!folders_->ForgetIfRemoved(place.folder, *folder)) break;
  }
  return BlockState::kAbsent;
}

Result<int> CacheDirectory::OpenBlock(const BlockPlace& place) {
  const std::string full = path_ + "/" + place.folder + "/" + place.name;
  if (!exists()) return ErrnoError(ENOENT, full);
  for (int attempt = 0;; ++attempt) {
    TRY(const auto folder, folders_->Find(place.folder));
    FileDescriptor file(::openat(folder->get(), place.name.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) {
      const int error_number = errno;
      if (error_number == ENOENT && attempt == 0 &&
          folders_->ForgetIfRemoved(place.folder, folder)) {
        continue;
      }
      if (error_number == ENXIO)
        return ErrnoError(ELOOP, full + ": not a regular file");  // a socket
      return DiskError(error_number, full, volume_.get());
    }
    struct stat kind{};
    if (::fstat(file.get(), &kind) != 0) return DiskError(errno, full, volume_.get());
    if (!S_ISREG(kind.st_mode)) {
      return Fail(ErrorCode::kConflict, full + ": not a regular file", Reason::kForeignFile);
    }
    return file.Release();
  }
}

Result<bool> CacheDirectory::Remove(const BlockPlace& place, std::uint64_t inode) {
  if (!exists()) return false;
  auto folder = folders_->Find(place.folder);
  if (!folder && folder.error().code == ErrorCode::kNotFound) return false;
  if (!folder) return Error(std::move(folder).error());
  struct stat file{};
  const bool found =
      ::fstatat((*folder)->get(), place.name.c_str(), &file, AT_SYMLINK_NOFOLLOW) == 0;
  const bool ours = found && S_ISREG(file.st_mode) && file.st_ino == inode && file.st_nlink == 1;
  if (found && !ours) return false;
  if (found && ::unlinkat((*folder)->get(), place.name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  return DiskError(errno, path_ + "/" + place.folder + "/" + place.name, volume_.get());
}

Status CacheDirectory::CheckStillThere() const {
  struct stat now{};
  if (::stat(path_.c_str(), &now) != 0) {
    return errno == ENOENT || errno == ENOTDIR ? DirectoryGone(path_, "was removed or unmounted")
                                               : DiskError(errno, path_, volume_.get());
  }
  if (now.st_dev != identity_.st_dev || now.st_ino != identity_.st_ino) {
    return DirectoryGone(path_, "is another directory than when we started: unmounted or replaced");
  }
  return {};
}

bool CacheDirectory::HasRaw() const {
  struct stat raw{};
  const std::string name(juicefs::kRawFolder);
  return exists() && ::fstatat(volume_.get(), name.c_str(), &raw, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<std::optional<std::string>> CacheDirectory::ReadLock() const {
  if (!exists()) return std::optional<std::string>();
  const std::string name(juicefs::kLockFile);
  const FileDescriptor file(::openat(volume_.get(), name.c_str(),
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::optional<std::string>();
  const std::string full = path_ + "/" + name;
  if (!file) return DiskError(errno, full, volume_.get());
  std::array<char, kLongestLock> text{};
  const ssize_t length = ::pread(file.get(), text.data(), text.size(), 0);
  if (length < 0) return DiskError(errno, full, volume_.get());
  return std::optional<std::string>(std::in_place, text.data(), static_cast<std::size_t>(length));
}

Result<std::string> CacheDirectory::MakeLock() {
  const std::string name(juicefs::kLockFile);
  const std::string full = path_ + "/" + name;
  const std::string id = RandomUuid();
  // The name appears together with the content, where the file system can do that: the client takes
  // an empty .lock for none and would choose another id.
  FileDescriptor file(::openat(volume_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644));
  const bool nameless = static_cast<bool>(file);
  if (!nameless) {
    file = FileDescriptor(::openat(volume_.get(), name.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  }
  const bool written =
      file && ::fchmod(file.get(), 0644) == 0 &&
      (!ownership_.give_away || ::fchown(file.get(), ownership_.uid, ownership_.gid) == 0) &&
      ::write(file.get(), id.data(), id.size()) == static_cast<ssize_t>(id.size()) &&
      ::fdatasync(file.get()) == 0;
  const std::string link = fmt::format("/proc/self/fd/{}", file.get());
  const bool named = written && (!nameless || ::linkat(AT_FDCWD, link.c_str(), volume_.get(),
                                                       name.c_str(), AT_SYMLINK_FOLLOW) == 0);
  if (!named && errno != EEXIST) {
    const int error_number = errno;
    if (file && !nameless) ::unlinkat(volume_.get(), name.c_str(), 0);
    return DiskError(error_number, full, volume_.get());
  }
  TRY(const auto read, ReadLock());
  if (!read || read->empty()) return DiskError(EIO, full + ": not what was written", volume_.get());
  return *read;
}

}  // namespace prewarm::agent
