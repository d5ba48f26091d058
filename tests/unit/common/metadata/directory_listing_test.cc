// Answers that a real server gives only by chance: a directory changes between two of its pages.
#include "common/metadata/directory_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/rig/run_task.h"

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

struct Entry {
  std::string name;
  FileType type;
  char inode;
};

// Gives the pages of directory 1 one after the other, and attributes of nodes that exist.
class PagedRedis final : public RedisClient {
 public:
  // The first page has the cursor "0", the others 1, 2…
  PagedRedis& Page(const std::vector<Entry>& entries) {
    std::vector<RedisReply> words;
    for (const auto& [name, type, inode] : entries) {
      words.push_back(Text(name));
      words.push_back(Text(std::string(1, static_cast<char>(type)) + std::string(7, '\0') + inode));
    }
    pages_.push_back(List(std::move(words)));
    return *this;
  }
  PagedRedis& Exists(char inode, FileType type, char length = 0) {
    std::string record(72, '\0');
    record[1] = static_cast<char>(static_cast<int>(type) << 4);
    record[58] = length;
    strings_["i" + std::to_string(inode)] = record;
    return *this;
  }
  PagedRedis& Target(char inode, const std::string& target) {
    strings_["s" + std::to_string(inode)] = target;
    return Exists(inode, FileType::kSymlink);
  }

  Task<Result<std::vector<RedisReply>>> Execute(std::vector<RedisCommand> commands,
                                                Duration /*limit*/) override {
    std::vector<RedisReply> replies;
    for (const RedisCommand& command : commands) replies.push_back(Answer(command));
    co_return replies;
  }
  [[nodiscard]] std::string_view key_prefix() const override { return ""; }
  Task<Status> Connect(Duration /*limit*/) override { co_return Status(); }

  std::vector<std::string> cursors;  // that were asked for
  std::vector<std::string> counts;

 private:
  RedisReply Answer(const RedisCommand& command) {
    if (command[0] == "HSCAN") {
      EXPECT_EQ(command[1], "d1");
      cursors.push_back(command[2]);
      counts.push_back(command[4]);
      const auto page = std::stoul(command[2]);
      const bool last = page + 1 == pages_.size();
      return List({Text(last ? "0" : std::to_string(page + 1)), pages_.at(page)});
    }
    EXPECT_EQ(command[0], "MGET");
    std::vector<RedisReply> values;
    for (std::size_t i = 1; i < command.size(); ++i) {
      const auto found = strings_.find(command[i]);
      values.push_back(found == strings_.end() ? RedisReply{} : Text(found->second));
    }
    return List(std::move(values));
  }

  std::vector<RedisReply> pages_;
  std::map<std::string, std::string> strings_;
};

Result<DirectoryListing> ListRoot(PagedRedis& redis, std::size_t max_entries = 100) {
  boost::asio::io_context loop;
  const Node root{.inode = Inode(1), .type = FileType::kDirectory, .path = "dir"};
  return rig::RunTask(loop, ListNode(redis, VolumeKeys(""), root, max_entries));
}

ListedEntry File(const std::string& name, std::uint64_t bytes) {
  return {.name = name, .type = FileType::kFile, .bytes = bytes, .target = {}};
}

TEST(DirectoryListing, TakesAnEntryOnceAndAsItsLastPageHasIt) {
  PagedRedis redis;
  redis.Page({{"b", FileType::kFile, 2}, {"a", FileType::kFile, 3}})
      .Page({{"c", FileType::kFile, 5}, {"a", FileType::kFile, 4}})
      .Page({{"b", FileType::kFile, 2}});
  for (char inode = 2; inode <= 5; ++inode) redis.Exists(inode, FileType::kFile, inode);
  const auto listing = ListRoot(redis);
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->kind, DirectoryListing::Kind::kDirectory);
  EXPECT_EQ(listing->real_path, "dir");
  EXPECT_THAT(listing->entries, ElementsAre(File("a", 4), File("b", 2), File("c", 5)));
  EXPECT_FALSE(listing->truncated);
  EXPECT_THAT(redis.cursors, ElementsAre("0", "1", "2"));
}

TEST(DirectoryListing, CountsAnEntryOnSeveralPagesOnceAgainstTheLimit) {
  PagedRedis redis;
  redis.Page({{"a", FileType::kFile, 2}, {"b", FileType::kFile, 3}})
      .Page({{"b", FileType::kFile, 3}, {"a", FileType::kFile, 2}})
      .Page({});
  redis.Exists(2, FileType::kFile).Exists(3, FileType::kFile);
  const auto listing = ListRoot(redis, 2);
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->entries.size(), 2U);
  EXPECT_FALSE(listing->truncated);
}

TEST(DirectoryListing, AsksForNoPageBehindTheLimit) {
  PagedRedis redis;
  redis.Page({{"a", FileType::kFile, 2}})
      .Page({{"c", FileType::kFile, 4}, {"b", FileType::kFile, 3}})
      .Page({{"d", FileType::kFile, 5}});
  for (char inode = 2; inode <= 5; ++inode) redis.Exists(inode, FileType::kFile);
  const auto listing = ListRoot(redis, 2);
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_THAT(listing->entries, ElementsAre(File("a", 0), File("b", 0)));
  EXPECT_TRUE(listing->truncated);
  EXPECT_THAT(redis.cursors, ElementsAre("0", "1"));
}

TEST(DirectoryListing, AsksForPagesThatTheServerCanAffordAndTheLimitNeeds) {
  for (const auto& [max_entries, count] : std::map<std::size_t, std::string>{
           {0, "1"}, {7, "7"}, {10'000, "10000"}, {1'000'000, "10000"}}) {
    PagedRedis redis;
    redis.Page({});
    const auto listing = ListRoot(redis, max_entries);
    ASSERT_TRUE(listing) << listing.error().message;
    EXPECT_THAT(redis.counts, ElementsAre(count)) << max_entries;
  }
}

TEST(DirectoryListing, LeavesOutWhatIsGoneByTheTimeItIsLookedAt) {
  PagedRedis redis;
  redis.Page({{"file", FileType::kFile, 2},
              {"gone", FileType::kFile, 3},
              {"directory gone", FileType::kDirectory, 4},
              {"link", FileType::kSymlink, 5},
              {"link gone", FileType::kSymlink, 6},
              {"link without target", FileType::kSymlink, 7},
              {"other link", FileType::kSymlink, 8}});
  redis.Exists(2, FileType::kFile, 9).Exists(7, FileType::kSymlink);
  redis.Target(5, "file").Target(8, "../elsewhere");
  const auto listing = ListRoot(redis);
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_THAT(listing->entries,
              ElementsAre(File("file", 9), ListedEntry{"link", FileType::kSymlink, 0, "file"},
                          ListedEntry{"other link", FileType::kSymlink, 0, "../elsewhere"}));
}

TEST(DirectoryListing, NamesAnEntryWhoseAttributesAreOfAnotherType) {
  PagedRedis redis;
  redis.Page({{"odd", FileType::kFile, 2}}).Exists(2, FileType::kDirectory);
  const auto listing = ListRoot(redis);
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(listing.error().message, HasSubstr("/dir/odd (inode 2) is a file by its entry"));
}

}  // namespace
}  // namespace prewarm::metadata
