#include "agent/cache/folders.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agent/cache/crash_site.h"
#include "agent/cache/disk_error.h"

namespace prewarm::agent {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr int kMakeAttempts = 4;

bool Same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

FileDescriptor OpenBeneath(int root, std::string_view path, int flags, int& error_number) {
  struct open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const std::string text(path);
  long fd = -1;
  do {  // EAGAIN: something was renamed on the way; beneath-ness has to be proved again
    fd = ::syscall(SYS_openat2, root, text.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  error_number = fd < 0 ? errno : 0;
  return FileDescriptor(static_cast<int>(fd));
}

Folders::Folders(int root, std::string root_path, Ownership ownership)
    : root_(root), root_path_(std::move(root_path)), ownership_(ownership) {}

Error Folders::FolderError(int error_number, std::string_view path) const {
  const std::string full = root_path_ + "/" + std::string(path);
  if (error_number == ELOOP || error_number == EXDEV || error_number == ENOTDIR) {
    return Fail(ErrorCode::kConflict,
                full + ": a symlink, a mount or a file stands where a folder belongs",
                Reason::kForeignFile);
  }
  return DiskError(error_number, full, root_);
}

Result<Folders::Folder> Folders::Find(std::string_view path) {
  auto kept = kept_.With([&](Kept& all) -> Folder {
    const auto found = all.by_path.find(path);
    if (found == all.by_path.end()) return nullptr;
    all.entries.splice(all.entries.begin(), all.entries, found->second);
    return found->second->folder;
  });
  if (kept) return kept;
  int error_number = 0;
  FileDescriptor opened = OpenBeneath(root_, path, kFolderFlags, error_number);
  if (!opened) return FolderError(error_number, path);
  return Keep(path, std::move(opened));
}

Result<Folders::Folder> Folders::Make(std::string_view path) {
  int error_number = 0;
  FileDescriptor opened = OpenBeneath(root_, path, kFolderFlags, error_number);
  for (int attempt = 0; !opened && error_number == ENOENT && attempt < kMakeAttempts; ++attempt) {
    auto made = MakeMissing(path);
    if (made) {
      opened = *std::move(made);
    } else if (made.error().code != ErrorCode::kNotFound) {
      return Error(std::move(made).error());
    }  // else the client's scanner removed an empty folder while we were inside
  }
  if (!opened) return FolderError(error_number, path);
  return Keep(path, std::move(opened));
}

Result<FileDescriptor> Folders::MakeMissing(std::string_view path) {
  FileDescriptor here(::fcntl(root_, F_DUPFD_CLOEXEC, 0));
  if (!here) return FolderError(errno, path);
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    TRY(here, EnterOrMake(here.get(), std::string(path.substr(begin, end - begin))));
    begin = end + 1;
  }
  return here;
}

Result<FileDescriptor> Folders::EnterOrMake(int parent, const std::string& name) {
  int error_number = 0;
  FileDescriptor entered = OpenBeneath(parent, name, kFolderFlags, error_number);
  if (entered) return entered;
  if (error_number != ENOENT) return FolderError(error_number, name);
  const bool ours = ::mkdirat(parent, name.c_str(), ownership_.folder_mode) == 0;
  if (!ours && errno != EEXIST) return FolderError(errno, name);
  CrashSite("folder_made");
  entered = OpenBeneath(parent, name, kFolderFlags, error_number);
  if (!entered) return FolderError(error_number, name);
  if (!ours) return entered;
  // The client sets exactly this mode by chmod, whatever the umask; what it made itself is its own.
  if (ownership_.give_away && ::fchown(entered.get(), ownership_.uid, ownership_.gid) != 0) {
    return FolderError(errno, name);
  }
  struct stat made{};
  if (::fstat(entered.get(), &made) != 0) return FolderError(errno, name);
  if ((made.st_mode & 0777) != ownership_.folder_mode &&
      ::fchmod(entered.get(), ownership_.folder_mode) != 0 && errno != EPERM) {
    return FolderError(errno, name);  // EPERM: a file system without modes
  }
  return entered;
}

Folders::Folder Folders::Keep(std::string_view path, FileDescriptor opened) {
  struct stat fresh{};
  ::fstat(opened.get(), &fresh);
  Folder folder = std::make_shared<const FileDescriptor>(std::move(opened));
  return kept_.With([&](Kept& all) {
    if (const auto found = all.by_path.find(path); found != all.by_path.end()) {
      struct stat old{};
      Entry& entry = *found->second;
      if (::fstat(entry.folder->get(), &old) != 0 || !Same(old, fresh)) entry.folder = folder;
      all.entries.splice(all.entries.begin(), all.entries, found->second);
      return entry.folder;
    }
    all.entries.push_front({std::string(path), folder});
    all.by_path.emplace(all.entries.front().path, all.entries.begin());
    if (all.entries.size() > kKeptOpen) {
      all.by_path.erase(all.entries.back().path);
      all.entries.pop_back();
    }
    return folder;
  });
}

bool Folders::ForgetIfRemoved(std::string_view path, const Folder& folder) {
  struct stat now{};
  if (::fstat(folder->get(), &now) == 0 && now.st_nlink > 0) return false;
  kept_.With([&](Kept& all) {
    const auto found = all.by_path.find(path);
    if (found == all.by_path.end() || found->second->folder != folder) return;
    const auto entry = found->second;
    all.by_path.erase(found);
    all.entries.erase(entry);
  });
  return true;
}

}  // namespace prewarm::agent
