#include "agent/tasks/volume_checks.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string_view>
#include <utility>

#include "agent/cache/space_budget.h"
#include "agent/warm/retry_policy.h"
#include "common/async/deadline.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t kStoreAttempts = 5;

struct Needed {
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;
};

// What a file system must hold for some blocks, by the client's own arithmetic.
std::uint64_t Footprint(const PlannedWork::PerDirectory& work) {
  return work.missing_bytes + work.missing_blocks * kClientBlockOverhead;
}

Error TooSmall(const std::string& path, std::uint64_t needed, std::uint64_t room,
               const std::string& because) {
  return Fail(ErrorCode::kNoSpace,
              "cache directory " + path + " is too small for the plan by " +
                  FormatBytes(needed - room) + ": it needs " + FormatBytes(needed) + ", and " +
                  FormatBytes(room) + " " + because,
              Reason::kNoSpace);
}

Status CheckDevice(const DirectoryUsage& directory, const Needed& needed) {
  if (needed.inodes > directory.available_inodes) {
    return Fail(ErrorCode::kNoSpace,
                "cache directory " + directory.path +
                    " has too few inodes for the plan: it needs " + FormatCount(needed.inodes) +
                    ", and " + FormatCount(directory.available_inodes) + " may be used",
                Reason::kNoInodes);
  }
  if (needed.bytes > directory.available_bytes) {
    return TooSmall(directory.path, needed.bytes, directory.available_bytes,
                    "may be used before less than " + FormatBytes(directory.floor_bytes) +
                        " of its disk are free (--free-space-ratio and a margin)");
  }
  return {};
}

// Whether the object names the volume.
Status JudgeOwner(std::span<std::byte> object, const juicefs::VolumeSettings& settings,
                  const juicefs::BlockCodec& codec, const std::string& store) {
  auto plain = codec.Decrypt(object);
  if (!plain) return std::move(plain).error().Within(store);
  const std::string_view text(reinterpret_cast<const char*>(plain->data()), plain->size());
  if (text.substr(0, settings.uuid.size()) == settings.uuid) return {};
  return Fail(ErrorCode::kConflict, store + " belongs to another volume: its " + settings.name +
                                        "/juicefs_uuid does not hold " + settings.uuid);
}

}  // namespace

Status CheckRoom(std::span<const DirectoryUsage> directories, const PlannedWork& work) {
  std::map<std::uint64_t, Needed> by_device;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const auto& directory = directories[i];
    const auto& missing = work.directories[i];
    if (missing.missing_blocks == 0) continue;
    const auto room =
        directory.capacity_bytes - std::min(directory.capacity_bytes, directory.cached_bytes);
    if (Footprint(missing) > room) {
      return TooSmall(
          directory.path, Footprint(missing), room,
          "of its share of --cache-size (" + FormatBytes(directory.capacity_bytes) + ") are free");
    }
    auto& needed = by_device[directory.device];
    needed.bytes += Footprint(missing);
    needed.inodes += missing.missing_blocks;
    TRY_STATUS(CheckDevice(directory, needed));
  }
  return {};
}

Task<Status> CheckStoreOwner(ObjectStore& store, const juicefs::VolumeSettings& settings,
                             const juicefs::BlockCodec& codec) {
  const std::string key = settings.name + "/juicefs_uuid";
  std::array<std::byte, 8192> buffer{};
  std::mt19937_64 random(std::random_device{}());
  ReadRequest request;
  request.key = key;
  for (std::size_t attempt = 1;; ++attempt) {
    auto read = co_await store.Read(request, buffer);
    if (read) {
      co_return JudgeOwner(std::span(buffer).first(read->size), settings, codec, store.Describe());
    }
    const auto& error = read.error();
    if (error.code == ErrorCode::kNotFound && error.reason == Reason::kNotFound) co_return Status();
    if (!IsRetryable(error.code) || attempt == kStoreAttempts || co_await Stopping()) {
      co_return std::move(read).error().Within(store.Describe());
    }
    request.fresh_connection = true;
    if (!co_await SleepFor(PauseBefore(attempt, random))) {
      co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
  }
}

}  // namespace prewarm::agent
