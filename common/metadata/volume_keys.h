// The Redis keys of a volume that we read, and commands on them in batches with their replies
// checked. Names and layouts: common/juicefs/README.md.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/juicefs/block.h"
#include "common/metadata/redis_client.h"

namespace prewarm::metadata {

// Long enough for a fail-over of a Sentinel group with its default settings (30 s until a server
// counts as down, then the election).
inline constexpr std::chrono::seconds kVolumeCallLimit{90};

class VolumeKeys {
 public:
  explicit VolumeKeys(std::string_view prefix) : prefix_(prefix) {}

  [[nodiscard]] std::string Setting() const { return prefix_ + "setting"; }
  [[nodiscard]] std::string Attribute(juicefs::Inode inode) const { return Key('i', inode); }
  [[nodiscard]] std::string Directory(juicefs::Inode inode) const { return Key('d', inode); }
  [[nodiscard]] std::string Symlink(juicefs::Inode inode) const { return Key('s', inode); }
  [[nodiscard]] std::string Chunk(juicefs::Inode inode, std::uint64_t index) const {
    return Key('c', inode) + "_" + std::to_string(index);
  }

 private:
  [[nodiscard]] std::string Key(char kind, juicefs::Inode inode) const {
    return prefix_ + kind + std::to_string(inode.value);
  }

  std::string prefix_;
};

// Executes commands of one kind; one that the server refuses is an error of the whole: kPermission
// (names the command and the right that is missing), kCorrupt (a key of a type that no volume has).
Task<Result<std::vector<net::RedisReply>>> Read(RedisClient& redis,
                                                std::vector<RedisCommand> commands);

// The values of `names` in order, nil for those that do not exist, in one round trip.
Task<Result<std::vector<net::RedisReply>>> ReadStrings(RedisClient& redis,
                                                       std::vector<std::string> names);

// A path or name as one printable line: control bytes are escaped.
std::string Printable(std::string_view name);

}  // namespace prewarm::metadata
