#include "common/metadata/node.h"

#include <gtest/gtest.h>

namespace prewarm::metadata {
namespace {

using juicefs::FileType;
using juicefs::Inode;

std::string Record(FileType type, char length) {
  std::string record(72, '\0');
  record[1] = static_cast<char>(static_cast<int>(type) << 4);
  record[58] = length;
  return record;
}

TEST(Node, OfAnEntryLiesBelowItsDirectory) {
  const Node root{.inode = Inode(1), .type = FileType::kDirectory, .path = ""};
  const auto models = ChildOf(root, "models", {FileType::kDirectory, Inode(2)});
  EXPECT_EQ(models, (Node{.inode = Inode(2), .type = FileType::kDirectory, .path = "models"}));
  const auto link = ChildOf(models, "a\xff", {FileType::kSymlink, Inode(3)});
  EXPECT_EQ(link, (Node{.inode = Inode(3), .type = FileType::kSymlink, .path = "models/a\xff"}));
}

TEST(Node, IsDescribedInOneLine) {
  EXPECT_EQ(Describe({.inode = Inode(7), .type = FileType::kFile, .path = "a\nb/c"}),
            "/a\\nb/c (inode 7)");
}

TEST(Node, HasTheAttributesOfItsOwnTypeOnly) {
  const Node file{.inode = Inode(7), .type = FileType::kFile, .path = "f"};
  const auto attribute = AttributeOf(file, Record(FileType::kFile, 9));
  ASSERT_TRUE(attribute) << attribute.error().message;
  EXPECT_EQ(attribute->length, 9U);

  const auto other = AttributeOf(file, Record(FileType::kDirectory, 9));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(other.error().message,
            "/f (inode 7) is a file by its entry, but a directory by its attributes");

  const auto damaged = AttributeOf(file, "short");
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(damaged.error().message.starts_with("attributes of /f (inode 7): "))
      << damaged.error().message;
}

}  // namespace
}  // namespace prewarm::metadata
