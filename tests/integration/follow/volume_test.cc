// A configured volume asked about its directories on a real Redis: which part of it is shown, how
// the engine is judged by the answer, and that the next question goes over the same connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/reconcile/volumes.h"
#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::controller {
namespace {

using metadata::RedisServer;
using metadata::VolumeBuilder;
using testing::HasSubstr;

class ConfiguredVolume : public testing::Test {
 protected:
  ConfiguredVolume() : server(folder, "redis"), builder(server, 1) {
    builder.Setting();
    models = builder.Directory(VolumeBuilder::kRoot, "models");
    builder.Written(models, "weights", 10);
    builder.Symlink(models, "leaving", "../other");
    builder.Directory(VolumeBuilder::kRoot, "other");
    server.Flush();
  }

  Volume& Configured(const std::string& subdir = "") {
    VolumeConfig config;
    config.meta = "redis://" + server.address() + "/1";
    config.subdir = subdir;
    volume = std::make_unique<Volume>("models", config, clock);
    return *volume;
  }
  Result<metadata::DirectoryListing> List(const std::string& path) {
    return rig::RunTask(loop, volume->List(path));
  }
  std::string Connections() {
    const auto info = server.Do({"INFO", "stats"});
    const auto at = info.find("total_connections_received:");
    return info.substr(at, info.find('\r', at) - at);
  }

  rig::TempDir folder;
  RedisServer server;
  VolumeBuilder builder;
  std::uint64_t models = 0;
  boost::asio::io_context loop;
  SystemClock clock;
  std::unique_ptr<Volume> volume;
};

TEST_F(ConfiguredVolume, ListsWhatItsSubdirShows) {
  Configured();
  EXPECT_EQ(Show(*List("")), "/\nmodels directory 0\nother directory 0\n");
  EXPECT_EQ(Show(*List("/models/weights")), "/models/weights file 10");
  Configured("models");
  EXPECT_EQ(Show(*List("/")), "/\nleaving symlink 0 -> ../other\nweights file 10\n");
  EXPECT_EQ(Show(*List("models")), "absent");
}

TEST_F(ConfiguredVolume, IsHealthyWhateverPathItIsAskedFor) {
  const Volume& asked = Configured("models");
  EXPECT_FALSE(asked.health()) << "nothing was read yet";
  for (const char* path : {"weights", "nowhere", "leaving"}) {
    (void)List(path);
    EXPECT_TRUE(asked.health()) << path;
  }
  EXPECT_EQ(List("leaving").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(asked.redis_calls(), 5U) << "the settings once, then one for each listing";
}

TEST_F(ConfiguredVolume, AsksAgainOverTheSameConnection) {
  Configured();
  ASSERT_TRUE(List("models"));
  const auto connections = Connections();
  for (const char* path : {"models", "models/weights", "nowhere", ""}) ASSERT_TRUE(List(path));
  EXPECT_EQ(Connections(), connections);
}

TEST_F(ConfiguredVolume, IsUnwellWhileItsMetadataIsDamaged) {
  const Volume& asked = Configured();
  const std::string entry = "i" + std::to_string(models + 1);
  const auto whole = server.Do({"GET", entry});
  server.Do({"SET", entry, "short"});
  const auto damaged = List("models");
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  ASSERT_FALSE(asked.health());
  EXPECT_THAT(asked.health().error().message, HasSubstr("/models/weights"));
  server.Do({"SET", entry, whole});
  EXPECT_TRUE(List("models"));
  EXPECT_TRUE(asked.health());
}

}  // namespace
}  // namespace prewarm::controller
