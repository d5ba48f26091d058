#include "common/metadata/node.h"

#include <utility>

#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {

Node ChildOf(const Node& directory, std::string_view name, const juicefs::DirectoryEntry& entry) {
  Node child{.inode = entry.inode, .type = entry.type, .path = {}};
  child.path.reserve(directory.path.size() + 1 + name.size());
  if (!directory.path.empty()) child.path.append(directory.path) += '/';
  child.path += name;
  return child;
}

std::string Describe(const Node& node) {
  return "/" + Printable(node.path) + " (inode " + std::to_string(node.inode.value) + ")";
}

Result<juicefs::Attribute> AttributeOf(const Node& node, std::string_view record) {
  auto attribute = juicefs::ParseAttribute(record);
  if (!attribute) return std::move(attribute).error().Within("attributes of " + Describe(node));
  if (attribute->type == node.type) return attribute;
  return Fail(ErrorCode::kCorrupt,
              Describe(node) + " is a " + std::string(juicefs::FileTypeName(node.type)) +
                  " by its entry, but a " + std::string(juicefs::FileTypeName(attribute->type)) +
                  " by its attributes");
}

}  // namespace prewarm::metadata
