// Who may write how much. A file system keeps a floor of free bytes and inodes, because below its
// own floor the client throws blocks away, ours and others'; and a directory keeps within its share
// of
// --cache-size, because above it the client evicts. Both are asked before a block is fetched.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/cache/file_descriptor.h"
#include "common/async/guarded.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace prewarm::agent {

// Blocks of one directory by their names, and their cost as the client counts it.
struct CachedBlocks {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;  // data + kClientBlockOverhead each
};
inline constexpr std::uint64_t kClientBlockOverhead = 4096;

// One file system; the directories on it share it. Thread-safe.
class FileSystemRoom {
 public:
  struct Figures {
    std::uint64_t total_bytes = 0;
    std::uint64_t free_bytes = 0;       // to users without root's reserve, as the client counts
    std::uint64_t floor_bytes = 0;      // of them must remain
    std::uint64_t available_bytes = 0;  // free, minus the floor, minus what is reserved
    std::uint64_t available_inodes = 0;
  };

  // `anywhere` is any descriptor on the file system; `path` names it in messages.
  FileSystemRoom(FileDescriptor anywhere, std::string path, double floor_ratio);

  Result<Figures> Look();
  // Room for one file of `bytes`. kNoSpace: no_space or no_inodes.
  Status Take(std::uint64_t bytes);
  void GiveBack(std::uint64_t bytes);

 private:
  struct Reserved {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
  };
  [[nodiscard]] Result<Figures> LookWith(const Reserved& reserved) const;

  const FileDescriptor anywhere_;
  const std::string path_;
  const double floor_ratio_;
  Guarded<Reserved> reserved_;
};

// One directory's share of --cache-size. Thread-safe. Counts what is cached at the first question,
// and again when it would refuse and the last count is old: the client evicts without telling us.
class CapacityShare {
 public:
  using Count = std::function<Result<CachedBlocks>()>;

  CapacityShare(std::uint64_t capacity_bytes, std::string path, Count count, const Clock& clock);

  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  Result<CachedBlocks> Recount();
  Status Take(std::uint64_t bytes);
  void GiveBack(std::uint64_t bytes);
  // What was taken has become a cached block.
  void Keep(std::uint64_t bytes);

 private:
  struct Shares {
    std::optional<CachedBlocks> cached;
    SteadyTime counted_at;
    std::uint64_t reserved = 0;
  };
  bool TryTake(std::uint64_t bytes);
  bool CountIsFresh();

  const std::uint64_t capacity_;
  const std::string path_;
  const Count count_;
  const Clock& clock_;
  Guarded<Shares> shares_;
};

// Both kinds of room for one block, taken together and given back as far as they were not used.
class ReservedRoom {
 public:
  struct Need {
    std::uint64_t file_bytes = 0;     // on the file system
    std::uint64_t counted_bytes = 0;  // of the share
  };
  static Result<std::unique_ptr<ReservedRoom>> Take(std::shared_ptr<FileSystemRoom> file_system,
                                                    std::shared_ptr<CapacityShare> share,
                                                    Need need);
  ~ReservedRoom();
  ReservedRoom(const ReservedRoom&) = delete;
  ReservedRoom& operator=(const ReservedRoom&) = delete;

  void BytesWritten();  // from now on the file system itself counts them
  void NameGiven();     // from now on the block counts as cached

 private:
  ReservedRoom(std::shared_ptr<FileSystemRoom> file_system, std::shared_ptr<CapacityShare> share,
               Need need);

  std::shared_ptr<FileSystemRoom> file_system_;  // null once written
  std::shared_ptr<CapacityShare> share_;         // null once published
  Need need_;
};

}  // namespace prewarm::agent
