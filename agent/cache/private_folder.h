// <dir>/<UUID>/.prewarm/: blocks in progress on file systems without O_TMPFILE, beside raw/ where
// the client does not look. Each process marks its files with its own id and holds a locked marker
// file, so that whoever comes next can tell the leftovers of a dead process from the work of a
// living one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/cache/file_descriptor.h"
#include "common/base/result.h"

namespace prewarm::agent {

class PrivateFolder;

// A named file in the private folder, removed when this is destroyed unless it got its final name.
class PrivateFile {
 public:
  PrivateFile(std::shared_ptr<PrivateFolder> folder, std::string name);
  ~PrivateFile();
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;

  // Gives it its final name unless something stands there; zero or errno.
  int MoveTo(int parent, const std::string& name);

 private:
  std::shared_ptr<PrivateFolder> folder_;
  std::string name_;
  bool moved_ = false;
};

class PrivateFolder : public std::enable_shared_from_this<PrivateFolder> {
 public:
  // Makes the folder if need be and announces this process. kInvalidArgument: the file system
  // cannot rename without replacing either, so nothing can be published on it safely.
  static Result<std::shared_ptr<PrivateFolder>> Open(int volume, const std::string& path);
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  struct NewFile {
    FileDescriptor fd;
    std::unique_ptr<PrivateFile> name;
  };
  Result<NewFile> Create(mode_t mode);

  [[nodiscard]] int fd() const { return folder_.get(); }

  // Removes what dead processes left in `volume`'s private folder, if there is one.
  static void RemoveLeftovers(int volume);

 private:
  PrivateFolder(FileDescriptor folder, FileDescriptor marker, std::string writer, std::string path);
  Status ProbeRename();

  const FileDescriptor folder_;
  const FileDescriptor marker_;
  const std::string writer_;
  const std::string path_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace prewarm::agent
