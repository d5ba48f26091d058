#include "agent/cache/block_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <utility>

#include "agent/cache/cached_names.h"
#include "agent/cache/directory_set.h"
#include "agent/cache/publisher.h"
#include "agent/cache/space_budget.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/juicefs/cache_layout.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {

SpaceReservation::SpaceReservation() = default;
SpaceReservation::SpaceReservation(std::unique_ptr<ReservedRoom> room) : room_(std::move(room)) {}
SpaceReservation::SpaceReservation(SpaceReservation&& other) noexcept = default;
SpaceReservation& SpaceReservation::operator=(SpaceReservation&& other) noexcept = default;
SpaceReservation::~SpaceReservation() = default;

StagedBlock::StagedBlock(int fd, std::size_t directory, juicefs::BlockId block)
    : fd_(fd), directory_(directory), block_(block) {}

StagedBlock::StagedBlock(int fd, std::size_t directory, juicefs::BlockId block,
                         SpaceReservation room, std::unique_ptr<PrivateFile> private_file)
    : fd_(fd),
      directory_(directory),
      block_(block),
      room_(std::move(room)),
      private_file_(std::move(private_file)) {}

StagedBlock::StagedBlock(StagedBlock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      directory_(other.directory_),
      block_(other.block_),
      room_(std::move(other.room_)),
      private_file_(std::move(other.private_file_)) {}

StagedBlock& StagedBlock::operator=(StagedBlock&& other) noexcept {
  std::swap(fd_, other.fd_);
  directory_ = other.directory_;
  block_ = other.block_;
  std::swap(room_, other.room_);
  std::swap(private_file_, other.private_file_);
  return *this;
}

StagedBlock::~StagedBlock() {
  if (fd_ >= 0) ::close(fd_);
}

namespace {

std::uint64_t RoundUp(std::uint64_t size) {
  constexpr std::uint64_t kStep = BlockCache::kAlignment;
  return (size + kStep - 1) / kStep * kStep;
}

class DirectoriesOnDisk final : public BlockCache {
 public:
  DirectoriesOnDisk(CacheOptions options, DirectorySet directories)
      : options_(std::move(options)), directories_(std::move(directories)) {}

  Status SetUpRoom();

  [[nodiscard]] std::size_t directory_count() const override { return directories_.size(); }
  Result<std::vector<DirectoryUsage>> Usage() override;
  [[nodiscard]] std::size_t DirectoryOf(juicefs::BlockId block) const override;
  Result<BlockState> StateOf(juicefs::BlockId block) override;
  Result<int> OpenBlock(juicefs::BlockId block) override;
  Result<SpaceReservation> Reserve(juicefs::BlockId block) override;
  Result<StagedBlock> Stage(juicefs::BlockId block, std::span<std::byte> buffer, std::size_t size,
                            SpaceReservation reservation) override;
  std::vector<Result<Published>> Publish(std::vector<StagedBlock> blocks) override;
  Result<bool> Remove(juicefs::BlockId block, std::uint64_t inode) override;

 private:
  struct Room {
    std::shared_ptr<FileSystemRoom> file_system;  // shared by the directories on one device
    std::shared_ptr<CapacityShare> share;
  };

  [[nodiscard]] std::uint64_t ShareOf(std::uint64_t file_system_bytes) const;
  Result<DirectoryUsage> UsageOf(std::size_t index);

  const CacheOptions options_;
  const SystemClock clock_;
  const DirectorySet directories_;
  std::vector<Room> rooms_;
};

// As the client lowers it at start: no more than what its free ratio leaves of the file system.
std::uint64_t DirectoriesOnDisk::ShareOf(std::uint64_t file_system_bytes) const {
  const double usable = static_cast<double>(file_system_bytes) * (1 - options_.free_space_ratio);
  return std::min(options_.cache_size / directories_.size(), static_cast<std::uint64_t>(usable));
}

Status DirectoriesOnDisk::SetUpRoom() {
  const double floor_ratio =
      std::max(options_.free_space_ratio + options_.free_space_margin, options_.minimum_free_ratio);
  std::map<dev_t, std::shared_ptr<FileSystemRoom>> by_device;
  for (std::size_t i = 0; i < directories_.size(); ++i) {
    CacheDirectory& directory = directories_.at(i);
    auto& file_system = by_device[directory.device()];
    if (!file_system) {
      FileDescriptor anywhere(::fcntl(directory.anywhere(), F_DUPFD_CLOEXEC, 0));
      if (!anywhere) return ErrnoError(errno, "opening " + directory.path());
      file_system =
          std::make_shared<FileSystemRoom>(std::move(anywhere), directory.path(), floor_ratio);
    }
    TRY(const auto figures, file_system->Look());
    CapacityShare::Count count = [&directory]() -> Result<CachedBlocks> {
      if (!directory.exists()) return CachedBlocks{};
      return CountCachedBlocks(directory.anywhere());
    };
    rooms_.push_back(
        {file_system, std::make_shared<CapacityShare>(ShareOf(figures.total_bytes),
                                                      directory.path(), std::move(count), clock_)});
  }
  return {};
}

Result<DirectoryUsage> DirectoriesOnDisk::UsageOf(std::size_t index) {
  const CacheDirectory& directory = directories_.at(index);
  const Room& room = rooms_[index];
  TRY(const CachedBlocks cached, room.share->Recount());
  TRY(const auto figures, room.file_system->Look());
  DirectoryUsage usage;
  usage.path = directory.path();
  usage.cached_blocks = cached.blocks;
  usage.cached_bytes = cached.bytes;
  usage.capacity_bytes = room.share->capacity();
  usage.available_bytes = figures.available_bytes;
  usage.available_inodes = figures.available_inodes;
  usage.floor_bytes = figures.floor_bytes;
  usage.free_bytes = figures.free_bytes;
  usage.device = directory.device();
  return usage;
}

Result<std::vector<DirectoryUsage>> DirectoriesOnDisk::Usage() {
  std::vector<DirectoryUsage> all;
  for (std::size_t i = 0; i < directories_.size(); ++i) {
    TRY(auto usage, UsageOf(i));
    all.push_back(std::move(usage));
  }
  return all;
}

std::size_t DirectoriesOnDisk::DirectoryOf(juicefs::BlockId block) const {
  if (directories_.size() == 1) return 0;
  return directories_.OwnerOf(juicefs::BlockKey(block, options_.hash_prefix));
}

Result<BlockState> DirectoriesOnDisk::StateOf(juicefs::BlockId block) {
  return directories_.at(DirectoryOf(block)).StateOf(block, PlaceOf(block, options_.hash_prefix));
}

Result<int> DirectoriesOnDisk::OpenBlock(juicefs::BlockId block) {
  return directories_.at(DirectoryOf(block)).OpenBlock(PlaceOf(block, options_.hash_prefix));
}

Result<SpaceReservation> DirectoriesOnDisk::Reserve(juicefs::BlockId block) {
  const Room& room = rooms_[DirectoryOf(block)];
  ReservedRoom::Need need;
  need.file_bytes = RoundUp(block.size + juicefs::TrailerBytes(block.size));
  need.counted_bytes = block.size + kClientBlockOverhead;
  TRY(auto taken, ReservedRoom::Take(room.file_system, room.share, need));
  return SpaceReservation(std::move(taken));
}

Result<StagedBlock> DirectoriesOnDisk::Stage(juicefs::BlockId block, std::span<std::byte> buffer,
                                             std::size_t size, SpaceReservation reservation) {
  PREWARM_CHECK(reservation.room() != nullptr, "a block is written only into reserved room");
  PREWARM_CHECK(size == block.size + juicefs::TrailerBytes(block.size) &&
                    buffer.size() == RoundUp(size) &&
                    reinterpret_cast<std::uintptr_t>(buffer.data()) % kAlignment == 0,
                "a block is data + trailer in an aligned, padded buffer");
  const std::size_t index = DirectoryOf(block);
  BlockWriter* writer = directories_.at(index).writer();
  if (writer == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                directories_.at(index).path() + " was opened for reading only");
  }
  std::ranges::fill(buffer.subspan(size), std::byte{0});  // never somebody else's memory on disk
  TRY(WrittenFile file, writer->Write(buffer, size));
  reservation.room()->BytesWritten();
  return StagedBlock(file.fd.Release(), index, block, std::move(reservation),
                     std::move(file.private_file));
}

std::vector<Result<Published>> DirectoriesOnDisk::Publish(std::vector<StagedBlock> blocks) {
  std::map<std::size_t, std::vector<std::size_t>> by_directory;
  for (std::size_t i = 0; i < blocks.size(); ++i) by_directory[blocks[i].directory()].push_back(i);
  std::vector<Result<Published>> answers(blocks.size());
  for (const auto& [index, members] : by_directory) {
    std::vector<StagedBlock*> batch;
    for (const std::size_t member : members) batch.push_back(&blocks[member]);
    auto named =
        PublishInto(directories_.at(index), batch,
                    {.hash_prefix = options_.hash_prefix, .batch_sync = options_.batch_sync});
    for (std::size_t i = 0; i < members.size(); ++i) answers[members[i]] = std::move(named[i]);
  }
  return answers;
}

Result<bool> DirectoriesOnDisk::Remove(juicefs::BlockId block, std::uint64_t inode) {
  return directories_.at(DirectoryOf(block)).Remove(PlaceOf(block, options_.hash_prefix), inode);
}

Status CheckOptions(const CacheOptions& options) {
  if (!juicefs::IsUuid(options.uuid)) {
    return Fail(ErrorCode::kInvalidArgument, "not a volume UUID: \"" + options.uuid + "\"");
  }
  if (options.directories.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "no cache directory given");
  }
  if (options.cache_size == 0) {
    return Fail(ErrorCode::kInvalidArgument, "a cache size of 0 turns the client's disk cache off");
  }
  const double floor = options.free_space_ratio + options.free_space_margin;
  if (!(options.free_space_ratio >= 0 && floor < 1 && options.minimum_free_ratio < 1)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the free space ratio with its margin must be at least 0 and below 1");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<BlockCache>> BlockCache::Open(CacheOptions options) {
  TRY_STATUS(CheckOptions(options));
  TRY(auto directories, DirectorySet::Open(options));
  auto cache = std::make_unique<DirectoriesOnDisk>(std::move(options), std::move(directories));
  TRY_STATUS(cache->SetUpRoom());
  return std::unique_ptr<BlockCache>(std::move(cache));
}

}  // namespace prewarm::agent
