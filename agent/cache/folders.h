// Folders beneath a volume directory, reached without ever leaving it: no symlinks, no "..", no
// other mount on the way. Shared with the client, whose scanner removes empty folders at any time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/cache/file_descriptor.h"
#include "common/async/guarded.h"
#include "common/base/result.h"

namespace prewarm::agent {

// Who owns what we create, and who may read it.
struct Ownership {
  uid_t uid = 0;
  gid_t gid = 0;
  bool give_away = false;  // we are root and the volume directory is somebody else's
  mode_t file_mode = 0600;
  mode_t folder_mode = 0700;
};

// openat2 beneath `root`. Fails with errno, also for every symlink (ELOOP) and crossing (EXDEV).
FileDescriptor OpenBeneath(int root, std::string_view path, int flags, int& error_number);

// The folders of block files, with the most recent ones kept open. Thread-safe.
class Folders {
 public:
  using Folder = std::shared_ptr<const FileDescriptor>;

  // `root` outlives this; `root_path` names it in messages.
  Folders(int root, std::string root_path, Ownership ownership);

  // For reading. kNotFound if it does not exist.
  Result<Folder> Find(std::string_view path);
  // For writing: looks at the path anew, so that a folder that was moved away or replaced since is
  // not written to, and makes what is missing.
  Result<Folder> Make(std::string_view path);
  // After ENOENT in a folder: true if the folder itself is gone, and then it is forgotten.
  bool ForgetIfRemoved(std::string_view path, const Folder& folder);

 private:
  static constexpr std::size_t kKeptOpen = 64;
  struct Entry {
    std::string path;
    Folder folder;
  };
  struct Kept {
    std::list<Entry> entries;  // most recent first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_path;
  };

  Result<FileDescriptor> MakeMissing(std::string_view path);
  Result<FileDescriptor> EnterOrMake(int parent, const std::string& name);
  Folder Keep(std::string_view path, FileDescriptor opened);
  [[nodiscard]] Error FolderError(int error_number, std::string_view path) const;

  const int root_;
  const std::string root_path_;
  const Ownership ownership_;
  Guarded<Kept> kept_;
};

}  // namespace prewarm::agent
