// One <dir>/<UUID> of the volume's cache: opened once, held by its descriptor, and known to be
// still the directory under its path. Thread-safe.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>

#include "agent/cache/block_cache.h"
#include "agent/cache/block_writer.h"
#include "agent/cache/file_descriptor.h"
#include "agent/cache/folders.h"
#include "common/base/result.h"

namespace prewarm::agent {

// A block's place beneath the volume directory.
struct BlockPlace {
  std::string folder;  // "raw/chunks/0/1"
  std::string name;    // "1234_0_4194304"
};
BlockPlace PlaceOf(juicefs::BlockId block, bool hash_prefix);

class CacheDirectory {
 public:
  // `path` is <dir>/<UUID>. With options.create it is made if missing, and must be writable;
  // without, a missing one is opened as an empty one that cannot be written.
  static Result<std::unique_ptr<CacheDirectory>> Open(std::string path,
                                                      const CacheOptions& options);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool exists() const { return static_cast<bool>(volume_); }
  // The volume directory, or the nearest existing one above it: good for statfs.
  [[nodiscard]] int anywhere() const { return volume_ ? volume_.get() : above_.get(); }
  [[nodiscard]] dev_t device() const { return identity_.st_dev; }
  [[nodiscard]] bool IsSameAs(const CacheDirectory& other) const;
  [[nodiscard]] BlockWriter* writer() { return writer_.get(); }
  [[nodiscard]] Folders& folders() { return *folders_; }

  // kNotFound-free: absent is a state. Costs one lookup and one fstatat.
  Result<BlockState> StateOf(juicefs::BlockId block, const BlockPlace& place);
  // kNotFound, or kConflict for what is not a regular file.
  Result<int> OpenBlock(const BlockPlace& place);

  // See BlockCache::Remove.
  Result<bool> Remove(const BlockPlace& place, std::uint64_t inode);

  // Reason cache_directory_gone if the path no longer leads to this directory: unmounted, replaced
  // or removed. Whoever writes on then would fill the disk under a missing mount.
  Status CheckStillThere() const;

  // The directory's id on the ring: all of its .lock. Nothing if there is none.
  Result<std::optional<std::string>> ReadLock() const;
  // Makes .lock with a new id unless somebody else just did, and returns what it holds.
  Result<std::string> MakeLock();
  [[nodiscard]] bool HasRaw() const;

 private:
  explicit CacheDirectory(std::string path) : path_(std::move(path)) {}
  Status OpenVolume(bool create, mode_t folder_mode);
  Status OpenAbove();
  Status PrepareForWriting(const CacheOptions& options);

  const std::string path_;
  FileDescriptor volume_;
  FileDescriptor above_;
  struct stat identity_{};
  Ownership ownership_;
  std::unique_ptr<Folders> folders_;
  std::unique_ptr<BlockWriter> writer_;
};

}  // namespace prewarm::agent
