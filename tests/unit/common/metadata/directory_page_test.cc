#include "common/metadata/directory_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::metadata {
namespace {

using juicefs::FileType;
using juicefs::Inode;
using net::RedisReply;
using testing::ElementsAre;
using testing::HasSubstr;

RedisReply Text(std::string text) {
  return {.kind = RedisReply::Kind::kString, .text = std::move(text), .integer = 0, .elements = {}};
}
RedisReply List(std::vector<RedisReply> elements) {
  return {
      .kind = RedisReply::Kind::kArray, .text = {}, .integer = 0, .elements = std::move(elements)};
}
RedisReply Value(char type, char inode) {
  return Text(std::string(1, type) + std::string(7, '\0') + inode);
}

const Node kDirectory{.inode = Inode(5), .type = FileType::kDirectory, .path = "models"};

TEST(DirectoryPage, IsAskedForByDirectoryCursorAndSize) {
  const VolumeKeys keys("{1}");
  EXPECT_THAT(PageCommand(keys, Inode(5), kFirstPage, 100),
              ElementsAre("HSCAN", "{1}d5", "0", "COUNT", "100"));
  EXPECT_THAT(PageCommand(keys, Inode(5), "77", 0),
              ElementsAre("HSCAN", "{1}d5", "77", "COUNT", "1"));
  EXPECT_EQ(PageCommand(keys, Inode(5), "77", kLargestPage + 1).back(), "10000");
}

TEST(DirectoryPage, HoldsNamesAsTheyAreAndTheWayOn) {
  const auto page =
      ParsePage(kDirectory,
                List({Text("77"), List({Text("a\xff\nb"), Value(1, 7), Text("x"), Value(3, 8)})}));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->next, "77");
  ASSERT_EQ(page->entries.size(), 2U);
  EXPECT_EQ(page->entries[0].name, "a\xff\nb");
  EXPECT_EQ(page->entries[0].entry, (juicefs::DirectoryEntry{FileType::kFile, Inode(7)}));
  EXPECT_EQ(page->entries[1].name, "x");
  EXPECT_EQ(page->entries[1].entry, (juicefs::DirectoryEntry{FileType::kSymlink, Inode(8)}));

  const auto last = ParsePage(kDirectory, List({Text("0"), List({})}));
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ(last->next, "");
  EXPECT_TRUE(last->entries.empty());
}

TEST(DirectoryPage, NamesDirectoryAndEntryThatItCannotRead) {
  const std::vector<RedisReply> no_pages = {
      Text("0"), RedisReply{}, List({}), List({Text("0")}),
      List({Text("0"), List({Text("name without a value")})})};
  for (const RedisReply& reply : no_pages) {
    const auto page = ParsePage(kDirectory, reply);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(page.error().message, HasSubstr("directory /models (inode 5) is not a page"));
  }
  const auto page = ParsePage(kDirectory, List({Text("0"), List({Text("bad\n"), Value(9, 7)})}));
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(page.error().message, HasSubstr("entry \"bad\\n\" of directory /models (inode 5): "));
}

}  // namespace
}  // namespace prewarm::metadata
