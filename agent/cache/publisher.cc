#include "agent/cache/publisher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "agent/cache/block_verifier.h"
#include "agent/cache/crash_site.h"
#include "agent/cache/disk_error.h"
#include "agent/cache/private_folder.h"
#include "agent/cache/space_budget.h"

namespace prewarm::agent {
namespace {

constexpr int kNameAttempts = 4;  // the first and three more

class Batch {
 public:
  Batch(CacheDirectory& directory, std::span<StagedBlock* const> blocks, PublishRules rules)
      : directory_(directory), blocks_(blocks), rules_(rules), failed_(blocks.size()) {}

  std::vector<Result<Published>> Publish() {
    if (auto there = directory_.CheckStillThere(); !there) FailAll(there.error());
    CrashSite("before_sync");
    Sync();
    CrashSite("after_sync");
    // Once more: a sync takes long enough for somebody to unmount the disk.
    if (auto there = directory_.CheckStillThere(); !there) FailAll(there.error());
    std::vector<Result<Published>> answers;
    answers.reserve(blocks_.size());
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (failed_[i]) {
        answers.emplace_back(*std::move(failed_[i]));
        continue;
      }
      answers.push_back(Name(*blocks_[i]));
      CrashSite("one_named");
    }
    return answers;
  }

 private:
  void FailAll(const Error& error) {
    for (auto& failed : failed_) {
      if (!failed) failed = error;
    }
  }

  [[nodiscard]] Error SyncError(int error_number, const char* call) const {
    Error error = DiskError(error_number, directory_.path() + ": " + call, directory_.anywhere());
    if (error.code == ErrorCode::kInternal) error.reason = Reason::kDiskError;
    return error;
  }

  void Sync() {
    if (blocks_.empty() || failed_.front()) return;
    if (!rules_.batch_sync) {
      for (std::size_t i = 0; i < blocks_.size(); ++i) {
        if (::fdatasync(blocks_[i]->fd()) != 0) failed_[i] = SyncError(errno, "fdatasync");
      }
      return;
    }
    if (::syncfs(blocks_.front()->fd()) != 0) {
      FailAll(SyncError(errno, "syncfs"));
      return;
    }
    // syncfs tells a write-back error to one caller only, and another thread may have been that
    // caller. Every file also remembers its own since it was opened: asking costs no I/O.
    for (const auto& block : blocks_) {
      if (::sync_file_range(block->fd(), 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) != 0 &&
          errno != ENOSYS && errno != ESPIPE) {
        FailAll(SyncError(errno, "write-back"));
      }
    }
  }

  Result<Published> Name(StagedBlock& block) {
    const BlockPlace place = PlaceOf(block.block(), rules_.hash_prefix);
    int error_number = 0;
    for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
      TRY(const auto folder, FolderOf(place, attempt > 0));
      error_number = GiveName(block, folder->get(), place.name);
      if (error_number == 0) {
        DropPages(block);
        if (block.room() != nullptr) block.room()->NameGiven();
        return Published::kStored;
      }
      if (error_number == EEXIST) {
        TRY(const bool whole, TheirsIsWhole(block, place));
        if (whole) return Published::kAlreadyThere;
        continue;  // evicted in the meantime: the name is free again
      }
      // ENOENT: the client's scanner removed the folder while it was still empty.
      if (error_number != ENOENT) break;
    }
    return DiskError(error_number, Full(place), directory_.anywhere());
  }

  // Folders are looked up once per batch, so that a stale descriptor is never written through.
  Result<Folders::Folder> FolderOf(const BlockPlace& place, bool anew) {
    if (!anew && folder_ && place.folder == folder_path_) return folder_;
    TRY(folder_, directory_.folders().Make(place.folder));
    folder_path_ = place.folder;
    return folder_;
  }

  static int GiveName(StagedBlock& block, int folder, const std::string& name) {
    CrashSite("before_name");
    if (block.private_file() != nullptr) return block.private_file()->MoveTo(folder, name);
    const std::string link = fmt::format("/proc/self/fd/{}", block.fd());
    return ::linkat(AT_FDCWD, link.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0
                                                                                          : errno;
  }

  void DropPages(const StagedBlock& block) const {
    if (directory_.writer()->LeavesPages()) {
      ::posix_fadvise(block.fd(), 0, 0, POSIX_FADV_DONTNEED);
    }
  }

  // False: it is gone again.
  Result<bool> TheirsIsWhole(const StagedBlock& block, const BlockPlace& place) {
    auto report = InspectTheirs(block, place);
    if (report.finding == BlockFinding::kAbsent) return false;
    if (report.Good()) return true;
    if (report.finding == BlockFinding::kReadError) {
      return Fail(ErrorCode::kInternal, Full(place) + ": " + report.detail, Reason::kDiskError);
    }
    return Fail(ErrorCode::kConflict,
                fmt::format("{} exists and is not a whole block: {}", Full(place), report.detail),
                Reason::kForeignFile);
  }

  BlockReport InspectTheirs(const StagedBlock& block, const BlockPlace& place) {
    auto opened = directory_.OpenBlock(place);
    if (opened) {
      const FileDescriptor file(*opened);
      return InspectBlockFile(file.get(), block.block(), buffer_);
    }
    BlockReport report{block.block(), BlockFinding::kReadError, 0, opened.error().message, {}};
    if (opened.error().code == ErrorCode::kNotFound) report.finding = BlockFinding::kAbsent;
    if (opened.error().code == ErrorCode::kConflict) report.finding = BlockFinding::kNotAFile;
    return report;
  }

  [[nodiscard]] std::string Full(const BlockPlace& place) const {
    return directory_.path() + "/" + place.folder + "/" + place.name;
  }

  CacheDirectory& directory_;
  const std::span<StagedBlock* const> blocks_;
  const PublishRules rules_;
  std::vector<std::optional<Error>> failed_;
  std::string folder_path_;
  Folders::Folder folder_;
  std::vector<std::byte> buffer_;
};

}  // namespace

std::vector<Result<Published>> PublishInto(CacheDirectory& directory,
                                           std::span<StagedBlock* const> blocks,
                                           PublishRules rules) {
  return Batch(directory, blocks, rules).Publish();
}

}  // namespace prewarm::agent
