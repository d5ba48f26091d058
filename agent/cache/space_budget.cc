#include "agent/cache/space_budget.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "common/base/units.h"

namespace prewarm::agent {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
constexpr auto kCountStaysFresh = std::chrono::seconds(10);

std::uint64_t Beyond(std::uint64_t have, std::uint64_t keep) {
  return have > keep ? have - keep : 0;
}

std::uint64_t PartOf(std::uint64_t total, double ratio) {
  return static_cast<std::uint64_t>(static_cast<double>(total) * ratio);
}

}  // namespace

FileSystemRoom::FileSystemRoom(FileDescriptor anywhere, std::string path, double floor_ratio)
    : anywhere_(std::move(anywhere)), path_(std::move(path)), floor_ratio_(floor_ratio) {}

Result<FileSystemRoom::Figures> FileSystemRoom::LookWith(const Reserved& reserved) const {
  struct statvfs disk{};
  if (::fstatvfs(anywhere_.get(), &disk) != 0) return ErrnoError(errno, "statfs " + path_);
  Figures figures;
  figures.total_bytes = disk.f_blocks * disk.f_frsize;
  figures.free_bytes = disk.f_bavail * disk.f_frsize;
  figures.floor_bytes = PartOf(figures.total_bytes, floor_ratio_);
  figures.available_bytes = Beyond(figures.free_bytes, figures.floor_bytes + reserved.bytes);
  // Some file systems make inodes as they need them and report none at all.
  figures.available_inodes =
      disk.f_files == 0
          ? kUnlimited
          : Beyond(disk.f_favail, PartOf(disk.f_files, floor_ratio_) + reserved.files);
  return figures;
}

Result<FileSystemRoom::Figures> FileSystemRoom::Look() {
  return reserved_.With([&](const Reserved& reserved) { return LookWith(reserved); });
}

// statfs costs about a microsecond, a block a thousand times that: it is simply asked every time.
Status FileSystemRoom::Take(std::uint64_t bytes) {
  return reserved_.With([&](Reserved& reserved) -> Status {
    TRY(const Figures figures, LookWith(reserved));
    if (figures.available_inodes == 0) {
      return Fail(ErrorCode::kNoSpace, path_ + ": no inodes left above the floor",
                  Reason::kNoInodes);
    }
    if (figures.available_bytes < bytes) {
      return Fail(ErrorCode::kNoSpace,
                  fmt::format("{}: {} free, of which {} must stay free and {} are reserved", path_,
                              FormatBytes(figures.free_bytes), FormatBytes(figures.floor_bytes),
                              FormatBytes(reserved.bytes)),
                  Reason::kNoSpace);
    }
    reserved.bytes += bytes;
    ++reserved.files;
    return {};
  });
}

void FileSystemRoom::GiveBack(std::uint64_t bytes) {
  reserved_.With([&](Reserved& reserved) {
    reserved.bytes -= bytes;
    --reserved.files;
  });
}

CapacityShare::CapacityShare(std::uint64_t capacity_bytes, std::string path, Count count,
                             const Clock& clock)
    : capacity_(capacity_bytes), path_(std::move(path)), count_(std::move(count)), clock_(clock) {}

Result<CachedBlocks> CapacityShare::Recount() {
  TRY(const CachedBlocks cached, count_());
  const SteadyTime now = clock_.Now();
  shares_.With([&](Shares& shares) {
    shares.cached = cached;
    shares.counted_at = now;
  });
  return cached;
}

bool CapacityShare::TryTake(std::uint64_t bytes) {
  return shares_.With([&](Shares& shares) {
    if (!shares.cached || shares.cached->bytes + shares.reserved + bytes > capacity_) return false;
    shares.reserved += bytes;
    return true;
  });
}

bool CapacityShare::CountIsFresh() {
  const SteadyTime now = clock_.Now();
  return shares_.With([&](const Shares& shares) {
    return shares.cached.has_value() && now - shares.counted_at < kCountStaysFresh;
  });
}

Status CapacityShare::Take(std::uint64_t bytes) {
  if (TryTake(bytes)) return {};
  // A fresh count may be another thread's, made since the line above: ask again in any case.
  if (!CountIsFresh()) TRY_STATUS(Recount());
  if (TryTake(bytes)) return {};
  return Fail(
      ErrorCode::kNoSpace,
      fmt::format("{}: its share of the cache size, {}, is used up", path_, FormatBytes(capacity_)),
      Reason::kNoSpace);
}

void CapacityShare::GiveBack(std::uint64_t bytes) {
  shares_.With([&](Shares& shares) { shares.reserved -= bytes; });
}

void CapacityShare::Keep(std::uint64_t bytes) {
  shares_.With([&](Shares& shares) {
    shares.reserved -= bytes;
    shares.cached->bytes += bytes;
    ++shares.cached->blocks;
  });
}

ReservedRoom::ReservedRoom(std::shared_ptr<FileSystemRoom> file_system,
                           std::shared_ptr<CapacityShare> share, Need need)
    : file_system_(std::move(file_system)), share_(std::move(share)), need_(need) {}

Result<std::unique_ptr<ReservedRoom>> ReservedRoom::Take(
    std::shared_ptr<FileSystemRoom> file_system, std::shared_ptr<CapacityShare> share, Need need) {
  TRY_STATUS(share->Take(need.counted_bytes));
  if (auto taken = file_system->Take(need.file_bytes); !taken) {
    share->GiveBack(need.counted_bytes);
    return Error(std::move(taken).error());
  }
  return std::unique_ptr<ReservedRoom>(
      new ReservedRoom(std::move(file_system), std::move(share), need));
}

ReservedRoom::~ReservedRoom() {
  BytesWritten();
  if (share_) share_->GiveBack(need_.counted_bytes);
}

void ReservedRoom::BytesWritten() {
  if (file_system_) file_system_->GiveBack(need_.file_bytes);
  file_system_.reset();
}

void ReservedRoom::NameGiven() {
  if (share_) share_->Keep(need_.counted_bytes);
  share_.reset();
}

}  // namespace prewarm::agent
