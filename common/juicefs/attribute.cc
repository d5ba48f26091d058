#include "common/juicefs/attribute.h"

#include <optional>
#include <string>

#include "common/juicefs/bytes.h"

namespace prewarm::juicefs {
namespace {

// Where the fields that we read are; what follows the parent is optional, see ParseAttribute.
constexpr std::size_t kTypeAndModeAt = 1;
constexpr std::size_t kUidAt = 3;
constexpr std::size_t kGidAt = 7;
constexpr std::size_t kLinksAt = 47;
constexpr std::size_t kLengthAt = 51;
constexpr std::size_t kParentAt = 63;
constexpr std::size_t kShortestRecord = kParentAt;
constexpr std::size_t kParentBytes = 8;
constexpr std::size_t kAclIdBytes = 8;

constexpr std::size_t kDirectoryEntryBytes = 9;

std::optional<FileType> KnownType(unsigned value) {
  if (value < 1 || value > 7) return std::nullopt;
  return static_cast<FileType>(value);
}

}  // namespace

std::string_view FileTypeName(FileType type) {
  switch (type) {
    case FileType::kFile: return "file";
    case FileType::kDirectory: return "directory";
    case FileType::kSymlink: return "symlink";
    case FileType::kFifo: return "fifo";
    case FileType::kBlockDevice: return "block device";
    case FileType::kCharDevice: return "character device";
    case FileType::kSocket: return "socket";
  }
  return "unknown";
}

Result<Attribute> ParseAttribute(std::string_view record) {
  if (record.size() < kShortestRecord) {
    return Fail(ErrorCode::kCorrupt, "an attribute record of " + std::to_string(record.size()) +
                                         " bytes is shorter than any client writes");
  }
  const auto type_and_mode = BigEndian<std::uint16_t>(record, kTypeAndModeAt);
  const auto type = KnownType(type_and_mode >> 12);
  if (!type) {
    return Fail(ErrorCode::kCorrupt, "an attribute record has the unknown file type " +
                                         std::to_string(type_and_mode >> 12));
  }
  Attribute attribute;
  attribute.type = *type;
  attribute.mode = type_and_mode & 0xfff;
  attribute.uid = BigEndian<std::uint32_t>(record, kUidAt);
  attribute.gid = BigEndian<std::uint32_t>(record, kGidAt);
  attribute.nlink = BigEndian<std::uint32_t>(record, kLinksAt);
  attribute.length = BigEndian<std::uint64_t>(record, kLengthAt);

  // Each later version appended a field, so what is there follows from the bytes that are left.
  std::string_view rest = record.substr(kParentAt);
  if (rest.size() >= kParentBytes) {
    attribute.parent = Inode(BigEndian<std::uint64_t>(rest, 0));
    rest.remove_prefix(kParentBytes);
  }
  if (rest.size() >= kAclIdBytes) rest.remove_prefix(kAclIdBytes);
  if (!rest.empty()) attribute.tier = static_cast<std::uint8_t>(rest.front());
  return attribute;
}

Result<DirectoryEntry> ParseDirectoryEntry(std::string_view value) {
  if (value.size() != kDirectoryEntryBytes) {
    return Fail(ErrorCode::kCorrupt, "a directory entry of " + std::to_string(value.size()) +
                                         " bytes instead of " +
                                         std::to_string(kDirectoryEntryBytes));
  }
  const auto type = KnownType(static_cast<unsigned char>(value.front()));
  if (!type) {
    return Fail(ErrorCode::kCorrupt, "a directory entry has the unknown file type " +
                                         std::to_string(static_cast<unsigned char>(value.front())));
  }
  return DirectoryEntry{*type, Inode(BigEndian<std::uint64_t>(value, 1))};
}

}  // namespace prewarm::juicefs
