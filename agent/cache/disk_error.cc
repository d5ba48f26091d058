#include "agent/cache/disk_error.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <string>

namespace prewarm::agent {

Error DiskError(int error_number, std::string_view what, int file_system) {
  Error error = ErrnoError(error_number, what);
  switch (error_number) {
    case ENOSPC: {
      struct statvfs figures{};
      if (::fstatvfs(file_system, &figures) == 0 && figures.f_files > 0 && figures.f_favail == 0) {
        error.reason = Reason::kNoInodes;
        error.message += " (no inodes left)";
      }
      break;
    }
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      error.reason = Reason::kUnspecified;  // ours to blame, not the disk's
      break;
    default: break;
  }
  return error;
}

Error DirectoryGone(std::string_view path, std::string_view why) {
  return Fail(ErrorCode::kInternal, std::string(path) + " " + std::string(why),
              Reason::kCacheDirectoryGone);
}

}  // namespace prewarm::agent
