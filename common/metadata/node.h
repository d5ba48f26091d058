// Something that exists in a volume, and the two records that tell of it: the entry of its
// directory and its attributes. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/juicefs/attribute.h"

namespace prewarm::metadata {

struct Node {
  juicefs::Inode inode;
  juicefs::FileType type = juicefs::FileType::kDirectory;
  std::string path;  // free of symlinks and dots, without a leading "/"; raw bytes

  bool operator==(const Node&) const = default;
};

// What an entry of `directory` leads to.
Node ChildOf(const Node& directory, std::string_view name, const juicefs::DirectoryEntry& entry);

// For messages: "/models/gpt (inode 7)".
std::string Describe(const Node& node);

// kCorrupt, naming the node: no attribute record, or one of another type than its entry says.
Result<juicefs::Attribute> AttributeOf(const Node& node, std::string_view record);

}  // namespace prewarm::metadata
