// Directories of a volume listed on a real Redis: what is told of an entry, where a path leads, and
// what a huge directory costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::metadata {
namespace {

using testing::HasSubstr;

constexpr auto kRoot = VolumeBuilder::kRoot;

class Listing : public testing::Test {
 protected:
  Listing() : server(folder, "redis"), volume(server, 1), engine(Url()) {}

  [[nodiscard]] std::string Url() const { return "redis://" + server.address() + "/1"; }
  std::string List(const std::string& path, const std::string& subdir = "") {
    const auto listing = engine.List(path, subdir);
    return listing ? Show(*listing)
                   : std::string(CodeName(listing.error().code)) + ": " + listing.error().message;
  }
  std::uint64_t Calls(const std::string& command) {
    const auto info = server.Do({"INFO", "commandstats"});
    const std::string mark = "cmdstat_" + command + ":calls=";
    const auto at = info.find(mark);
    return at == info.npos ? 0 : std::stoull(info.substr(at + mark.size()));
  }

  rig::TempDir folder;
  RedisServer server;
  VolumeBuilder volume;
  Engine engine;
};

TEST_F(Listing, TellsTypeSizeAndTargetOfEveryEntry) {
  const auto models = volume.Directory(kRoot, "models");
  const auto weights = volume.Written(models, "weights", 5'000'000'000);
  volume.File(models, "empty", 0);
  volume.Entry(models, "hard link", 1, weights);
  volume.Written(volume.Directory(models, "directory"), "not listed", 1);
  volume.Symlink(models, "relative", "directory/../weights");
  volume.Symlink(models, "absolute", "/etc/passwd");
  volume.Symlink(models, "dangling", "nowhere");
  volume.Symlink(models, "loop", "loop");
  volume.Symlink(models, "leaving", "../../..");
  volume.Symlink(models, "raw", "\xff/\x01");
  for (const auto& [name, type] : std::map<std::string, int>{
           {"fifo", 4}, {"block device", 5}, {"character device", 6}, {"socket", 7}}) {
    volume.Special(models, name, type);
  }
  volume.File(models, "\xe4\xb8\xad\xe6\x96\x87", 1);
  volume.File(models, "\xff\xfe", 2);
  volume.File(models, "a\nb", 3);
  volume.File(models, std::string(255, 'x'), 4);
  volume.Entry(models, "without attributes", 1, 999);
  server.Flush();
  EXPECT_EQ(List("models"),
            "/models\n"
            "a\\nb file 3\n"
            "absolute symlink 0 -> /etc/passwd\n"
            "block device block device 0\n"
            "character device character device 0\n"
            "dangling symlink 0 -> nowhere\n"
            "directory directory 0\n"
            "empty file 0\n"
            "fifo fifo 0\n"
            "hard link file 5000000000\n"
            "leaving symlink 0 -> ../../..\n"
            "loop symlink 0 -> loop\n"
            "raw symlink 0 -> \xff/\\x01\n"
            "relative symlink 0 -> directory/../weights\n"
            "socket socket 0\n"
            "weights file 5000000000\n" +
                std::string(255, 'x') + " file 4\n" +
                "\xe4\xb8\xad\xe6\x96\x87 file 1\n"
                "\xff\xfe file 2\n");
}

TEST_F(Listing, FollowsThePathAndNamesWhereItLeads) {
  const auto models = volume.Directory(kRoot, "models");
  const auto gpt = volume.Directory(models, "gpt");
  volume.Written(gpt, "weights", 10);
  volume.Symlink(models, "latest", "gpt");
  volume.Symlink(gpt, "up", "../latest/./weights");
  volume.Directory(models, "empty");
  server.Flush();
  const std::string in_gpt = "/models/gpt\nup symlink 0 -> ../latest/./weights\nweights file 10\n";
  for (const char* path : {"models/gpt", "/models/gpt/", "models/latest", "models//latest/../gpt/.",
                           "../models/latest"}) {
    EXPECT_EQ(List(path), in_gpt) << path;
  }
  for (const char* path : {"models/gpt/weights", "models/latest/weights", "/models/latest/up"}) {
    EXPECT_EQ(List(path), "/models/gpt/weights file 10") << path;
  }
  EXPECT_EQ(List("models/empty"), "/models/empty\n");
  for (const char* root : {"", "/", ".", "models/.."}) {
    EXPECT_EQ(List(root), "/\nmodels directory 0\n") << root;
  }
}

TEST_F(Listing, OfAMountOfASubdirectoryKnowsNothingElse) {
  const auto models = volume.Directory(kRoot, "models");
  const auto gpt = volume.Directory(models, "gpt");
  volume.Written(gpt, "weights", 10);
  volume.Symlink(models, "latest", "gpt");
  volume.Symlink(models, "leaving", "../other");
  volume.Written(volume.Directory(kRoot, "other"), "secret", 20);
  server.Flush();
  EXPECT_EQ(List("latest", "models"), "/gpt\nweights file 10\n");
  EXPECT_EQ(List("/", "models/latest/"), "/\nweights file 10\n");
  EXPECT_EQ(List("weights", "/models/gpt"), "/weights file 10");
  EXPECT_EQ(List("../other", "models"), "absent") << "the root is its own parent";
  EXPECT_THAT(List("leaving/secret", "models"), HasSubstr("leaves the volume"));
  EXPECT_EQ(engine.List("leaving", "models").error().code, ErrorCode::kInvalidArgument);

  EXPECT_EQ(engine.List("gpt", "nowhere").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(List("gpt", "nowhere"), HasSubstr("--subdir: nowhere"));
  EXPECT_EQ(engine.List("", "models/gpt/weights").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Listing, SaysThatThereIsNothing) {
  const auto models = volume.Directory(kRoot, "models");
  volume.Written(models, "weights", 10);
  volume.Symlink(models, "dangling", "nowhere/weights");
  volume.Entry(models, "without attributes", 1, 999);
  server.Flush();
  for (const char* path :
       {"nowhere", "models/nowhere", "nowhere/weights", "models/weights/below", "models/dangling",
        "models/dangling/below", "models/without attributes"}) {
    const auto listing = engine.List(path);
    ASSERT_TRUE(listing) << path << ": " << listing.error().message;
    EXPECT_EQ(*listing, DirectoryListing{}) << path;
  }
}

TEST_F(Listing, RefusesPathsThatLeadOutInCirclesOrToNoFile) {
  volume.Symlink(kRoot, "absolute", "/etc");
  volume.Symlink(kRoot, "leaving", "../x");
  volume.Symlink(kRoot, "loop", "loop");
  volume.Special(kRoot, "fifo", 4);
  server.Flush();
  for (const char* path : {"absolute", "absolute/passwd", "leaving", "loop", "loop/x", "fifo"}) {
    const auto listing = engine.List(path);
    ASSERT_FALSE(listing) << path << ": " << Show(*listing);
    EXPECT_EQ(listing.error().code, ErrorCode::kInvalidArgument) << listing.error().message;
  }
}

TEST_F(Listing, StopsReadingAHugeDirectoryAtTheLimit) {
  const auto many = volume.Directory(kRoot, "many");
  for (int i = 0; i < 20'000; ++i) volume.File(many, std::to_string(i), 1);
  server.Flush();
  struct Limit {
    std::size_t entries;
    std::uint64_t pages;  // a page may bring a few more entries than were asked for, or fewer
  };
  for (const auto& [entries, pages] : {Limit{10, 2}, Limit{10'000, 2}, Limit{15'000, 3}}) {
    server.Do({"CONFIG", "RESETSTAT"});
    const auto listing = engine.List("many", "", entries);
    ASSERT_TRUE(listing) << listing.error().message;
    EXPECT_EQ(listing->entries.size(), entries);
    EXPECT_TRUE(listing->truncated) << entries;
    EXPECT_TRUE(std::ranges::is_sorted(listing->entries, {}, &ListedEntry::name));
    EXPECT_LE(Calls("hscan"), pages) << entries;
    EXPECT_LE(Calls("mget"), entries / 4096 + 1) << "nothing is asked of those left out";
  }
  for (const std::size_t entries : {20'000U, 1'000'000U}) {
    const auto listing = engine.List("many", "", entries);
    ASSERT_TRUE(listing) << listing.error().message;
    EXPECT_FALSE(listing->truncated) << entries;
    std::vector<std::string> names;
    for (const auto& entry : listing->entries) {
      names.push_back(entry.name);
      ASSERT_EQ(entry.bytes, 1U) << entry.name;
    }
    std::vector<std::string> written;
    for (int i = 0; i < 20'000; ++i) written.push_back(std::to_string(i));
    std::ranges::sort(written);
    EXPECT_EQ(names, written);
  }
}

TEST_F(Listing, CutsASmallDirectoryThatComesWhole) {
  for (const char* name : {"c", "a", "b"}) volume.File(kRoot, name, 1);
  server.Flush();
  EXPECT_EQ(Show(*engine.List("", "", 3)), "/\na file 1\nb file 1\nc file 1\n");
  EXPECT_EQ(Show(*engine.List("", "", 2)), "/ truncated\na file 1\nb file 1\n");
  EXPECT_EQ(Show(*engine.List("", "", 0)), "/ truncated\n");
}

TEST_F(Listing, NeedsRoundTripsByDepthAndPagesAndNotByEntries) {
  std::vector<int> calls;
  for (const int entries : {3, 9'000}) {
    const auto directory =
        volume.Directory(volume.Directory(kRoot, "n" + std::to_string(entries)), "below");
    for (int i = 0; i < entries; ++i) {
      const auto name = std::to_string(i);
      i % 2 == 0 ? volume.File(directory, name, 1) : volume.Symlink(directory, name, name);
    }
    server.Flush();
    CountingRedis counting(engine.redis());
    VolumeReader reader(counting);
    const auto listing =
        rig::RunTask(engine.loop(),
                     reader.List({.subdir = {}, .path = "n" + std::to_string(entries) + "/below"}));
    ASSERT_TRUE(listing) << listing.error().message;
    ASSERT_EQ(listing->entries.size(), static_cast<std::size_t>(entries));
    calls.push_back(counting.calls);
  }
  EXPECT_EQ(calls[0], 4) << "two names, one page, attributes along with targets";
  EXPECT_EQ(calls[1], calls[0]);
}

TEST_F(Listing, NamesTheRecordThatIsCorrupt) {
  struct Damage {
    std::vector<std::string> command;
    const char* said;
  };
  const std::vector<Damage> damages = {
      {{"SET", "i3", "short"}, "attributes of /models/file (inode 3)"},
      {{"HSET", "d2", "bad", std::string(8, '\1')}, "entry \"bad\" of directory /models (inode 2)"},
      {{"SET", "d2", "not a directory"}, "Redis refuses HSCAN: WRONGTYPE"},
  };
  for (const Damage& damage : damages) {
    server.Do({"FLUSHALL"});
    VolumeBuilder fresh(server, 1);
    const auto models = fresh.Directory(kRoot, "models");
    fresh.File(models, "file", 1);
    fresh.Raw({"DEL", damage.command[0] == "SET" ? damage.command[1] : "nothing"});
    fresh.Raw(damage.command);
    server.Flush();
    const auto listing = engine.List("models");
    ASSERT_FALSE(listing) << damage.said;
    EXPECT_EQ(listing.error().code, ErrorCode::kCorrupt) << listing.error().message;
    EXPECT_THAT(listing.error().message, HasSubstr(damage.said));
  }
}

}  // namespace
}  // namespace prewarm::metadata
