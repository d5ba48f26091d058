// The attribute record i<inode> and the directory entry value of d<inode>, as JuiceFS stores them
// in Redis (big-endian; byte layout in README.md beside this file).
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/result.h"
#include "common/juicefs/block.h"

namespace prewarm::juicefs {

enum class FileType : std::uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 3,
  kFifo = 4,
  kBlockDevice = 5,
  kCharDevice = 6,
  kSocket = 7,
};

std::string_view FileTypeName(FileType type);  // "file", "directory", "symlink", "fifo", …

struct Attribute {
  FileType type = FileType::kFile;
  std::uint16_t mode = 0;  // permission bits, 12 bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::uint64_t length = 0;
  Inode parent;  // 0 for hard-linked files
  std::uint8_t tier = 0;

  bool operator==(const Attribute&) const = default;
};

// kCorrupt if the record is shorter than any version writes or the type is unknown.
Result<Attribute> ParseAttribute(std::string_view record);

struct DirectoryEntry {
  FileType type = FileType::kFile;
  Inode inode;

  bool operator==(const DirectoryEntry&) const = default;
};

// kCorrupt unless 9 bytes with a known type.
Result<DirectoryEntry> ParseDirectoryEntry(std::string_view value);

}  // namespace prewarm::juicefs
