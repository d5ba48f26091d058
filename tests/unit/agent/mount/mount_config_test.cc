// The files in data/ were written by real clients; names, paths and ids in them were made neutral.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/mount/mounts.h"
#include "tests/rig/source_dir.h"

namespace prewarm::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Recorded(const std::string& name) {
  const auto path = rig::SourceDir() / "tests/unit/agent/mount/data" / name;
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class OfEachVersion : public testing::TestWithParam<const char*> {};

TEST_P(OfEachVersion, IsReadAsTheClientWroteIt) {
  const std::string version = GetParam();
  const auto settings =
      ParseMountConfig(Recorded("two-directories-" + version + ".json"), "/host/models");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->mount_point, "/host/models");
  EXPECT_EQ(settings->own_mount_point, "/mnt/models");
  EXPECT_EQ(settings->format.name, "models");
  EXPECT_EQ(settings->format.uuid, "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");
  EXPECT_EQ(settings->format.block_size, 4U << 20);
  EXPECT_THAT(settings->cache_directories, ElementsAre("/data/cache-a", "/data/cache-b"));
  EXPECT_TRUE(settings->disk_cache);
  EXPECT_EQ(settings->cache_size, 100ULL << 30);
  EXPECT_EQ(settings->cache_mode, 0644U);
  EXPECT_DOUBLE_EQ(settings->free_space_ratio, 0.1);
  EXPECT_EQ(settings->scan_interval, std::chrono::minutes(30));
  EXPECT_EQ(settings->subdir, "");
  EXPECT_THAT(settings->version, HasSubstr(version));
  EXPECT_EQ(settings->pid, 4242);
  EXPECT_FALSE(settings->read_only);
}

INSTANTIATE_TEST_SUITE_P(MountConfig, OfEachVersion, testing::Values("1.3.1", "1.4.2"),
                         [](const auto& each) {
                           return std::string(each.param) == "1.3.1" ? "Client1_3_1"
                                                                     : "Client1_4_2";
                         });

TEST(MountConfig, KnowsAReadOnlyMountThatNeverScans) {
  const auto settings =
      ParseMountConfig(Recorded("never-scans-read-only-1.4.2.json"), "/mnt/models");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_LT(settings->scan_interval.count(), 0);
  EXPECT_TRUE(settings->read_only);
  EXPECT_EQ(settings->cache_mode, 0600U);
}

TEST(MountConfig, KnowsASubDirectoryMountThatScansOnce) {
  const auto settings = ParseMountConfig(Recorded("subdir-scans-once-1.4.2.json"), "/mnt/models");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->scan_interval.count(), 0);
  EXPECT_EQ(settings->subdir, "team/models");
  EXPECT_EQ(settings->cache_size, 2ULL << 30);
  EXPECT_THAT(settings->cache_directories, ElementsAre("/data/cache-a"));
}

TEST(MountConfig, KnowsAMemoryCache) {
  const auto settings = ParseMountConfig(Recorded("memory-1.4.2.json"), "/mnt/models");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_FALSE(settings->disk_cache);
  EXPECT_THAT(settings->cache_directories, IsEmpty());
}

TEST(MountConfig, KnowsACacheOfSizeZero) {
  const auto settings =
      ParseMountConfig(Replaced(Recorded("two-directories-1.4.2.json"),
                                "\"CacheSize\": 107374182400", "\"CacheSize\": 0"),
                       "/m");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_FALSE(settings->disk_cache);
}

TEST(MountConfig, DoesWithoutTheMaskedSecrets) {
  const auto settings = ParseMountConfig(
      Replaced(
          Recorded("two-directories-1.4.2.json"), "\"TrashDays\": 0",
          R"("AccessKey": "someone", "SecretKey": "removed", "KeyEncrypted": true, "TrashDays": 0)"),
      "/m");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_TRUE(settings->format.secret_key.empty());
}

TEST(MountConfig, AcceptsAClientThatDoesNotTellItsProcess) {
  const auto settings = ParseMountConfig(
      Replaced(Recorded("two-directories-1.3.1.json"), "\"Pid\": 4242,", ""), "/m");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->pid, 0);
}

struct Oddity {
  std::string from;
  std::string to;
  std::string named;
};

TEST(MountConfig, NamesTheMemberThatIsMissingOrOdd) {
  const std::string good = Recorded("two-directories-1.4.2.json");
  const std::vector<Oddity> oddities = {
      {"\"CacheScanInterval\": 1800000000000", "\"CacheScanInterval\": \"1h\"",
       "Chunk.CacheScanInterval"},
      {"\"CacheDir\"", "\"CacheDirs\"", "Chunk.CacheDir"},
      {"/0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0:/data", ":/data", "Chunk.CacheDir"},
      {"\"CacheMode\": 420", "\"CacheMode\": 40960", "Chunk.CacheMode"},
      {"\"CacheSize\": 1", "\"CacheSize\": -1", "Chunk.CacheSize"},
      {"\"FreeSpace\": 0.1", "\"FreeSpace\": null", "Chunk.FreeSpace"},
      {"\"Chunk\"", "\"Chunks\"", "Chunk"},
      {"\"Meta\"", "\"meta\"", "Meta"},
      {"\"ReadOnly\": false", "\"ReadOnly\": 0", "Meta.ReadOnly"},
      {"\"Pid\": 4242", "\"Pid\": -5", "Pid"},
      {"\"Version\": \"1.4.2", "\"version\": \"1.4.2", "Version"},
      {"\"Format\"", "\"Formats\"", "Format"},
      {"\"BlockSize\": 4096", "\"BlockSize\": \"big\"", "BlockSize"},
  };
  for (const Oddity& oddity : oddities) {
    const auto settings = ParseMountConfig(Replaced(good, oddity.from, oddity.to), "/m");
    ASSERT_FALSE(settings) << oddity.to;
    EXPECT_EQ(settings.error().code, ErrorCode::kCorrupt) << oddity.to;
    EXPECT_THAT(settings.error().message, HasSubstr(oddity.named));
  }
}

TEST(MountConfig, RefusesWhatIsNoJsonObject) {
  for (const std::string_view text : {"", "{", "[]", "null", "<html>"}) {
    const auto settings = ParseMountConfig(text, "/m");
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error().code, ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace prewarm::agent
