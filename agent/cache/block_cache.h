// Where bytes go: the cache directories of one volume on this node, in the format of the JuiceFS
// client, as one set. Knows which directory holds a block, what is already there, how much room is
// left, and publishes blocks so that a name exists only for whole and durable bytes.
// Thread-safe unless said otherwise; everything here may block: call it from a disk pool.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/juicefs/block.h"

namespace prewarm::agent {

struct CacheOptions {
  std::vector<std::string> directories;  // as --cache-dir, split; wildcards allowed
  std::string uuid;                      // of the volume
  bool hash_prefix = false;
  mode_t file_mode = 0600;
  std::uint64_t cache_size = 100ULL << 30;  // bytes over all directories, the client's --cache-size
  double free_space_ratio = 0.1;            // the client's --free-space-ratio
  double free_space_margin = 0.05;          // we stay this much above it
  double minimum_free_ratio = 0.15;         // and never below this
  // One syncfs for a batch instead of an fdatasync for each block: cheaper, but flushes everybody's
  // dirty pages, so only for directories that no live mount shares.
  bool batch_sync = true;
  bool create = true;  // make missing directories and .lock files; false for dry runs and verify
};

// What stands under a block's name.
enum class BlockState : std::uint8_t {
  kAbsent,
  kWhole,      // right size (data with trailer, or data alone as a client without checksums writes)
  kWrongSize,  // the client would treat it as a miss, or worse
  kStaged,     // link count above 1: not uploaded yet, belongs to the client
  kNotAFile,
};

struct DirectoryUsage {
  std::string path;                   // <dir>/<UUID>
  std::uint64_t cached_blocks = 0;    // blocks there now, by their names
  std::uint64_t cached_bytes = 0;     // as the client counts: data + 4096 each
  std::uint64_t capacity_bytes = 0;   // the client's share of --cache-size for this directory
  std::uint64_t available_bytes = 0;  // may still be written without going below the floor
  std::uint64_t available_inodes = 0;
  std::uint64_t floor_bytes = 0;  // free bytes that must remain
  std::uint64_t free_bytes = 0;   // of the file system, now
  std::uint64_t device = 0;       // directories on one device share its room
};

class ReservedRoom;  // agent/cache/space_budget.h
class PrivateFile;   // agent/cache/private_folder.h

// Room for one block: bytes and an inode of the file system, and a part of the directory's share of
// --cache-size. What was not used is given back when it is destroyed.
class SpaceReservation {
 public:
  SpaceReservation();  // no room at all
  explicit SpaceReservation(std::unique_ptr<ReservedRoom> room);
  SpaceReservation(SpaceReservation&& other) noexcept;
  SpaceReservation& operator=(SpaceReservation&& other) noexcept;
  ~SpaceReservation();

  [[nodiscard]] ReservedRoom* room() const { return room_.get(); }

 private:
  std::unique_ptr<ReservedRoom> room_;
};

// A block whose bytes are written but which has no name yet. Destroying it drops the bytes.
class StagedBlock {
 public:
  // Owns `fd`. The other two exist only for blocks that a real cache directory staged.
  StagedBlock(int fd, std::size_t directory, juicefs::BlockId block);
  StagedBlock(int fd, std::size_t directory, juicefs::BlockId block, SpaceReservation room,
              std::unique_ptr<PrivateFile> private_file);
  StagedBlock(StagedBlock&& other) noexcept;
  StagedBlock& operator=(StagedBlock&& other) noexcept;
  ~StagedBlock();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::size_t directory() const { return directory_; }
  [[nodiscard]] juicefs::BlockId block() const { return block_; }
  [[nodiscard]] ReservedRoom* room() const { return room_.room(); }
  // Only on file systems without O_TMPFILE, where even a block in progress has a name.
  [[nodiscard]] PrivateFile* private_file() const { return private_file_.get(); }

 private:
  int fd_ = -1;
  std::size_t directory_ = 0;
  juicefs::BlockId block_;
  SpaceReservation room_;
  std::unique_ptr<PrivateFile> private_file_;
};

enum class Published : std::uint8_t { kStored, kAlreadyThere };

class BlockCache {
 public:
  // Opens (and with `create` prepares) the directories. kInvalidArgument: no directory matches a
  // wildcard, a directory is missing and may not be made, several directories of which one has lost
  // its .lock. kPermission: read-only or not ours to write. The message names the path.
  static Result<std::unique_ptr<BlockCache>> Open(CacheOptions options);
  virtual ~BlockCache() = default;

  [[nodiscard]] virtual std::size_t directory_count() const = 0;
  // Walks the directories once (names only) and asks the file systems.
  virtual Result<std::vector<DirectoryUsage>> Usage() = 0;
  // The directory (index) that a client would look in for this block.
  [[nodiscard]] virtual std::size_t DirectoryOf(juicefs::BlockId block) const = 0;
  virtual Result<BlockState> StateOf(juicefs::BlockId block) = 0;
  // Opens the block's file for reading, refusing symlinks and anything but regular files; the
  // caller closes it. kNotFound if absent.
  virtual Result<int> OpenBlock(juicefs::BlockId block) = 0;

  // How many bytes a buffer handed to Stage must have behind data+trailer, and its alignment.
  static constexpr std::size_t kAlignment = 4096;

  // kNoSpace (no_space, no_inodes) if writing the block would leave less than the floor.
  virtual Result<SpaceReservation> Reserve(juicefs::BlockId block) = 0;

  // Writes data+trailer to a file without a name. `buffer` is aligned to kAlignment and as long as
  // data+trailer rounded up to it; `size` is the exact length of data+trailer; the padding behind
  // it may be overwritten. The reservation is what makes a write possible; it is spent here. Errors
  // leave nothing behind: kNoSpace, kPermission, kInternal, with their reason.
  virtual Result<StagedBlock> Stage(juicefs::BlockId block, std::span<std::byte> buffer,
                                    std::size_t size, SpaceReservation reservation) = 0;

  // Makes the staged blocks durable and gives each its name; one answer per block, in order. A
  // block that somebody else published meanwhile is checked: kAlreadyThere if whole, else
  // foreign_file. A failed sync drops the blocks it covered (disk_error) and is never repeated.
  virtual std::vector<Result<Published>> Publish(std::vector<StagedBlock> blocks) = 0;

  // Takes the block's file away if it still is the regular file with this inode and has no other
  // name; true if it was taken away. What a client has put there meanwhile stays.
  virtual Result<bool> Remove(juicefs::BlockId block, std::uint64_t inode) = 0;
};

}  // namespace prewarm::agent
