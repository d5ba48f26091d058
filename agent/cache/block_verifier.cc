#include "agent/cache/block_verifier.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "agent/cache/file_descriptor.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {
namespace {

using juicefs::TrailerMismatch;

BlockReport Report(juicefs::BlockId block, BlockFinding finding, std::uint64_t amount = 0,
                   std::string detail = {}) {
  return BlockReport{block, finding, amount, std::move(detail), {}};
}

std::string NoteOn(const struct stat& file) {
  std::string note;
  if ((file.st_mode & S_IRUSR) == 0 || (file.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    note = fmt::format("mode {:04o}", file.st_mode & 07777);
  }
  if (file.st_uid != ::geteuid()) {
    note += fmt::format("{}owned by uid {}", note.empty() ? "" : ", ", file.st_uid);
  }
  return note;
}

// What the size and kind alone say; kWhole and kWholeWithoutTrailer mean "so far".
BlockReport JudgeShape(const struct stat& file, juicefs::BlockId block) {
  const std::uint64_t data = block.size;
  const std::uint64_t whole = data + juicefs::TrailerBytes(data);
  if (!S_ISREG(file.st_mode)) {
    return Report(block, BlockFinding::kNotAFile, 0, "not a regular file");
  }
  if (file.st_nlink == 0)
    return Report(block, BlockFinding::kAbsent);  // evicted since it was opened
  if (file.st_nlink != 1) {
    return Report(
        block, BlockFinding::kLinkCount, file.st_nlink,
        fmt::format("link count {}: not uploaded yet, belongs to the client", file.st_nlink));
  }
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (size == whole) return Report(block, BlockFinding::kWhole);
  if (size == data) return Report(block, BlockFinding::kWholeWithoutTrailer);
  if (size < whole) {
    return Report(block, BlockFinding::kTooShort, whole - size,
                  fmt::format("{} bytes, {} too few", size, whole - size));
  }
  return Report(block, BlockFinding::kTooLong, size - whole,
                fmt::format("{} bytes, {} too many", size, size - whole));
}

// Zero, or the errno; a file that ends early is EIO: its size said otherwise a moment ago.
int ReadFully(int fd, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EIO;
    done += static_cast<std::size_t>(got);
  }
  return 0;
}

bool OneByteDiffers(const TrailerMismatch& mismatch) {
  const std::uint32_t difference = mismatch.computed ^ mismatch.stored;
  constexpr std::array<std::uint32_t, 4> kBytes = {0xff, 0xff00, 0xff0000, 0xff000000};
  return std::ranges::any_of(kBytes, [&](std::uint32_t byte) { return (difference & ~byte) == 0; });
}

BlockReport JudgeMismatches(juicefs::BlockId block, const std::vector<TrailerMismatch>& mismatches,
                            std::optional<bool> equals_store) {
  const bool trailer =
      equals_store.has_value() ? *equals_store : std::ranges::all_of(mismatches, OneByteDiffers);
  const TrailerMismatch& first = mismatches.front();
  return Report(
      block, trailer ? BlockFinding::kTrailerDamaged : BlockFinding::kDataDamaged,
      mismatches.size(),
      fmt::format("{} of {} pieces of 32 KiB disagree with their checksum, the first at byte {}",
                  mismatches.size(), juicefs::TrailerBytes(block.size) / 4,
                  first.piece * juicefs::kTrailerPieceBytes));
}

BlockReport JudgeBytes(BlockReport report, std::span<const std::byte> data,
                       std::span<const std::byte> trailer, const StoreBytes& store) {
  std::optional<bool> equals_store;
  if (store.has_value()) equals_store = std::ranges::equal(data, *store);
  if (!trailer.empty()) {
    const auto mismatches = juicefs::CheckTrailer(data, trailer);
    if (!mismatches.empty()) return JudgeMismatches(report.block, mismatches, equals_store);
  }
  if (equals_store == false) {
    return Report(report.block, BlockFinding::kOtherBytes, 0, "not the bytes of the object store");
  }
  return report;
}

}  // namespace

std::string_view FindingName(BlockFinding finding) {
  switch (finding) {
    case BlockFinding::kWhole: return "whole";
    case BlockFinding::kWholeWithoutTrailer: return "whole_without_trailer";
    case BlockFinding::kAbsent: return "absent";
    case BlockFinding::kTooShort: return "too_short";
    case BlockFinding::kTooLong: return "too_long";
    case BlockFinding::kLinkCount: return "link_count";
    case BlockFinding::kNotAFile: return "not_a_file";
    case BlockFinding::kDataDamaged: return "data_damaged";
    case BlockFinding::kTrailerDamaged: return "trailer_damaged";
    case BlockFinding::kOtherBytes: return "other_bytes";
    case BlockFinding::kReadError: return "read_error";
  }
  return "read_error";
}

BlockReport InspectBlockFile(int fd, juicefs::BlockId block, std::vector<std::byte>& buffer,
                             StoreBytes store) {
  struct stat file{};
  if (::fstat(fd, &file) != 0) {
    return Report(block, BlockFinding::kReadError, 0, ErrnoError(errno, "stat").message);
  }
  BlockReport report = JudgeShape(file, block);
  if (report.Good()) {
    const auto size = static_cast<std::size_t>(file.st_size);
    if (buffer.size() < size) buffer.resize(size);
    if (const int error = ReadFully(fd, std::span(buffer).first(size)); error != 0) {
      return Report(block, BlockFinding::kReadError, 0, ErrnoError(error, "read").message);
    }
    const std::span<const std::byte> bytes(buffer.data(), size);
    report =
        JudgeBytes(std::move(report), bytes.first(block.size), bytes.subspan(block.size), store);
  }
  report.note = NoteOn(file);
  return report;
}

BlockReport VerifyBlock(BlockCache& cache, juicefs::BlockId block, std::vector<std::byte>& buffer,
                        StoreBytes store) {
  auto opened = cache.OpenBlock(block);
  if (opened.has_value()) {
    const FileDescriptor file(*opened);
    return InspectBlockFile(file.get(), block, buffer, store);
  }
  Error error = std::move(opened).error();
  switch (error.code) {
    case ErrorCode::kNotFound: return Report(block, BlockFinding::kAbsent);
    case ErrorCode::kConflict:
      return Report(block, BlockFinding::kNotAFile, 0, std::move(error.message));
    default: return Report(block, BlockFinding::kReadError, 0, std::move(error.message));
  }
}

BlockReport VerifyBlock(BlockCache& cache, juicefs::BlockId block, StoreBytes store) {
  std::vector<std::byte> buffer;
  return VerifyBlock(cache, block, buffer, store);
}

}  // namespace prewarm::agent
