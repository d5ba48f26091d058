// A single Redis server: what is read from it, by whom, and what the errors say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::metadata {
namespace {

using testing::HasSubstr;
using testing::IsSubsetOf;

constexpr auto kRoot = VolumeBuilder::kRoot;
constexpr std::uint64_t kChunk = 64ULL << 20;

class Standalone : public testing::Test {
 protected:
  explicit Standalone(std::vector<std::string> options = {})
      : server(folder, "redis", std::move(options)) {}

  [[nodiscard]] std::string Url(int database = 1) const {
    return "redis://" + server.address() + "/" + std::to_string(database);
  }

  rig::TempDir folder;
  RedisServer server;
};

TEST_F(Standalone, ReadsTheSettings) {
  VolumeBuilder(server, 1).Setting("llama");
  server.Flush();
  const auto settings = Engine(Url()).Settings();
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->name, "llama");
  EXPECT_EQ(settings->uuid, "12345678-9abc-4def-8012-3456789abcde");
  EXPECT_EQ(settings->block_size, 4U << 20);
}

TEST_F(Standalone, ReadsAwkwardFilesAsAReaderSeesThem) {
  VolumeBuilder volume(server, 1);
  volume.File(kRoot, "empty", 0);
  volume.File(kRoot, "hole", 300'000'000);
  const auto overwritten = volume.File(kRoot, "overwritten", 1000);
  volume.Append(overwritten, 0,
                {.position = 0, .id = 5, .size = 1000, .offset = 0, .length = 1000});
  volume.Append(overwritten, 0,
                {.position = 200, .id = 6, .size = 100, .offset = 0, .length = 100});
  const auto truncated = volume.File(kRoot, "truncated", kChunk + 10);
  volume.Append(truncated, 0,
                {.position = 0, .id = 7, .size = kChunk, .offset = 0, .length = kChunk});
  volume.Append(truncated, 1, {.position = 0, .id = 8, .size = 500, .offset = 0, .length = 500});
  volume.Append(truncated, 1, {.position = 10, .id = 0, .size = 0, .offset = 0, .length = 490});
  volume.Append(truncated, 2, {.position = 0, .id = 9, .size = 500, .offset = 0, .length = 500});
  const auto clone = volume.File(kRoot, "clone", 300);
  volume.Append(clone, 0, {.position = 0, .id = 5, .size = 1000, .offset = 100, .length = 300});
  const auto directory = volume.Directory(kRoot, "dir\nwith \xe4\xb8\xad\xe6\x96\x87");
  volume.Entry(directory, "linked", 1, clone);
  volume.Entry(kRoot, "dangling", 1, 999);
  volume.Directory(directory, "empty directory");
  volume.Symlink(kRoot, "latest", "overwritten");
  volume.Special(kRoot, "fifo", 4);
  volume.Special(directory, "socket", 7);
  server.Flush();
  const auto resolved = Engine(Url()).Resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(Show(*resolved),
            "clone 300: 0+300=5@100/1000\n"
            "empty 0:\n"
            "hole 300000000:\n"
            "overwritten 1000: 0+200=5@0/1000 200+100=6@0/100 300+700=5@300/1000\n"
            "truncated 67108874: 0+67108864=7@0/67108864 0+10=8@0/500\n");
  EXPECT_EQ(resolved->bytes, 300 + 300'000'000 + 1000 + kChunk + 10);
  EXPECT_EQ(resolved->skipped_symlinks, 1U);
  EXPECT_EQ(resolved->skipped_special, 2U);
}

TEST_F(Standalone, ResolvesTheRequestedPathsOnly) {
  VolumeBuilder volume(server, 1);
  const auto models = volume.Directory(kRoot, "models");
  const auto gpt = volume.Directory(models, "gpt");
  volume.Written(gpt, "b", 10);
  volume.Written(gpt, "a", 20);
  volume.Symlink(models, "latest", "gpt");
  volume.Written(kRoot, "other", 30);
  server.Flush();
  Engine engine(Url());
  const std::string both = "models/gpt/a 20: 0+20=2@0/20\nmodels/gpt/b 10: 0+10=1@0/10\n";
  EXPECT_EQ(Show(*engine.Resolve({"/models/"})), both);
  EXPECT_EQ(Show(*engine.Resolve({"models/latest"})), both);
  EXPECT_EQ(Show(*engine.Resolve({"models/gpt/b", "models/latest/a", "models", "models/gpt"})),
            both);
  EXPECT_EQ(Show(*engine.Resolve({"models/latest/../../other"})), "other 30: 0+30=3@0/30\n");
  EXPECT_EQ(Show(*engine.Resolve({"gpt/a"}, "/models")), "gpt/a 20: 0+20=2@0/20\n");
  EXPECT_EQ(Show(*engine.Resolve({}, "models/gpt")), "a 20: 0+20=2@0/20\nb 10: 0+10=1@0/10\n");
  EXPECT_EQ(Show(*engine.Resolve({}, "models/latest/")), "a 20: 0+20=2@0/20\nb 10: 0+10=1@0/10\n");

  const auto missing = engine.Resolve({"models/gpt", "models/llama/x"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().message,
            "models/llama/x: no such file or directory in the volume; /models exists");
  EXPECT_EQ(engine.Resolve({"other"}, "models").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(engine.Resolve({}, "nowhere").error().message, HasSubstr("--subdir: nowhere"));
  EXPECT_EQ(engine.Resolve({}, "other").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Standalone, ListsDirectoriesLargerThanAPage) {
  VolumeBuilder volume(server, 1);
  const auto directory = volume.Directory(kRoot, "many");
  for (int i = 0; i < 25'000; ++i) volume.Written(directory, std::to_string(i), 1);
  server.Flush();
  const auto resolved = Engine(Url()).Resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->files.size(), 25'000U);
  EXPECT_EQ(resolved->bytes, 25'000U);
  for (const auto& file : resolved->files) ASSERT_EQ(file.segments.size(), 1U) << file.path;
}

TEST_F(Standalone, NamesTheRecordThatIsCorrupt) {
  struct Damage {
    std::vector<std::string> command;
    const char* said;
  };
  const std::vector<Damage> damages = {
      {{"SET", "i2", "short"}, "attributes of /file (inode 2)"},
      {{"RPUSH", "c2_1", std::string(23, 'x')}, "chunk 1 of /file (inode 2)"},
      {{"HSET", "d1", "bad", std::string(8, '\1')}, "entry \"bad\" of directory / (inode 1)"},
      {{"SET", "c2_0", "not a list"}, "Redis refuses LRANGE: WRONGTYPE"},
  };
  for (const Damage& damage : damages) {
    server.Do({"FLUSHALL"});
    VolumeBuilder volume(server, 1);
    volume.File(kRoot, "file", kChunk + 1);
    volume.Raw(damage.command);
    server.Flush();
    const auto resolved = Engine(Url()).Resolve();
    ASSERT_FALSE(resolved) << damage.said;
    EXPECT_EQ(resolved.error().code, ErrorCode::kCorrupt) << resolved.error().message;
    EXPECT_THAT(resolved.error().message, HasSubstr(damage.said));
  }
}

TEST_F(Standalone, SaysThatADatabaseHoldsNoVolume) {
  VolumeBuilder(server, 1).Setting();
  server.Flush();
  const auto settings = Engine(Url(2)).Settings();
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(settings.error().message, HasSubstr("no JuiceFS volume in this Redis database"));

  const auto out_of_range = Engine(Url(99)).Settings();
  ASSERT_FALSE(out_of_range);
  EXPECT_EQ(out_of_range.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(out_of_range.error().message, HasSubstr("database 99"));
}

TEST_F(Standalone, ReadsThroughAUnixSocket) {
  VolumeBuilder volume(server, 3);
  volume.Written(kRoot, "file", 10);
  server.Flush();
  Engine engine("unix://" + server.socket_path() + "?db=3");
  EXPECT_EQ(Show(*engine.Resolve()), "file 10: 0+10=1@0/10\n");
  Engine nowhere("unix:///nowhere/redis.sock");
  const auto failed = nowhere.Connect(200ms);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("/nowhere/redis.sock"));
}

TEST_F(Standalone, NeedsRoundTripsByDepthAndNotByFiles) {
  std::vector<int> calls;
  for (const int files : {1, 40}) {
    const int database = files == 1 ? 1 : 2;
    VolumeBuilder volume(server, database);
    for (int i = 0; i < files; ++i) {
      const auto outer = volume.Directory(kRoot, "d" + std::to_string(i));
      const auto inner = volume.Directory(outer, "inner");
      for (int j = 0; j < files; ++j) volume.Written(inner, std::to_string(j), kChunk + 1);
    }
    server.Flush();
    Engine engine(Url(database));
    CountingRedis counting(engine.redis());
    VolumeReader reader(counting);
    const auto resolved =
        rig::RunTask(engine.loop(), reader.Resolve({.subdir = {}, .paths = {}, .on_progress = {}}));
    ASSERT_TRUE(resolved) << resolved.error().message;
    ASSERT_EQ(resolved->files.size(), static_cast<std::size_t>(files * files));
    calls.push_back(counting.calls);
  }
  EXPECT_EQ(calls[0], 5) << "three levels of directories, attributes, slices";
  EXPECT_EQ(calls[1], calls[0]);
}

TEST_F(Standalone, OnlyReads) {
  VolumeBuilder volume(server, 1);
  volume.Setting();
  volume.Written(volume.Directory(kRoot, "models"), "file", 10);
  volume.Symlink(kRoot, "latest", "models");
  server.Flush();
  server.Do({"CONFIG", "RESETSTAT"});
  Engine engine(Url());
  ASSERT_TRUE(engine.Settings());
  ASSERT_TRUE(engine.Resolve());
  ASSERT_TRUE(engine.Resolve({"latest/file"}, "/"));
  ASSERT_TRUE(engine.List("latest/file"));
  ASSERT_TRUE(engine.List("/"));
  const std::vector<std::string> allowed = {"auth",  "select", "cluster|info",
                                            "get",   "mget",   "hget",
                                            "hscan", "lrange", "config|resetstat"};
  const auto seen = CommandsSeen(server);
  EXPECT_THAT(seen, IsSubsetOf(allowed));
  EXPECT_THAT(seen, testing::IsSupersetOf({"hget", "hscan", "mget", "lrange"}));
}

TEST_F(Standalone, FindsItsServerAgainAfterARestart) {
  VolumeBuilder(server, 1).Written(kRoot, "file", 10);
  server.Flush();
  server.Do({"SAVE"});
  Engine engine(Url());
  ASSERT_TRUE(engine.Resolve());
  server.Kill();
  const auto gone = engine.Connect(300ms);
  ASSERT_FALSE(gone);
  EXPECT_TRUE(IsRetryable(gone.error().code));
  EXPECT_THAT(gone.error().message, HasSubstr("cannot reach Redis at " + server.address()));
  EXPECT_THAT(gone.error().message, HasSubstr("check host and port"));
  EXPECT_THAT(gone.error().message, HasSubstr("gave up after"));
  server.Restart();
  EXPECT_EQ(Show(*engine.Resolve()), "file 10: 0+10=1@0/10\n");
}

TEST_F(Standalone, StopsAtOnceWhenAskedTo) {
  server.Do({"CONFIG", "SET", "maxclients", "100"});
  Engine engine(Url());
  server.Kill();
  Status status;
  auto body = [](RedisClient& redis, Status& out) -> Task<void> {
    out = co_await redis.Connect(std::chrono::hours(1));
  };
  TaskGroup group(engine.loop().get_executor());
  group.Spawn("connect", body(engine.redis(), status));
  engine.loop().run_for(100ms);
  ASSERT_EQ(group.running(), 1U);
  group.Stop();
  engine.loop().run();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

class StandaloneWithUsers : public Standalone {
 protected:
  StandaloneWithUsers() : Standalone({"--requirepass", "top secret"}) {
    server.Do({"AUTH", "top secret"});
    server.Do({"ACL", "SETUSER", "reader", "on", ">r/w:d", "~*", "+@read", "+@connection",
               "+cluster|info", "+cluster|slots", "-@scripting"});
    server.Do({"ACL", "SETUSER", "blind", "on", ">pw", "~other*", "+@read", "+@connection"});
    VolumeBuilder volume(server, 1);
    volume.Setting();
    volume.Written(volume.Directory(kRoot, "models"), "file", 10);
    server.Flush();
  }
  [[nodiscard]] std::string UrlAs(const std::string& user_info) const {
    return "redis://" + user_info + "@" + server.address() + "/1";
  }
};

TEST_F(StandaloneWithUsers, LogsInByPasswordAndByUser) {
  for (const char* user_info : {":top%20secret", "default:top%20secret", "reader:r%2Fw%3Ad"}) {
    Engine engine(UrlAs(user_info));
    ASSERT_TRUE(engine.Settings()) << user_info;
    EXPECT_EQ(Show(*engine.Resolve()), "models/file 10: 0+10=1@0/10\n") << user_info;
  }
  EXPECT_EQ(server.Do({"ACL", "LOG"}), "") << "a reader's rights are enough";
}

TEST_F(StandaloneWithUsers, SaysAtOnceThatALogInFailed) {
  for (const char* user_info : {":wrong", "reader:wrong", "nobody:wrong", "user"}) {
    const auto failed = Engine(UrlAs(user_info)).Connect(1h);
    ASSERT_FALSE(failed) << user_info;
    EXPECT_EQ(failed.error().code, ErrorCode::kPermission) << failed.error().message;
    EXPECT_THAT(failed.error().message, HasSubstr(server.address()));
    EXPECT_THAT(failed.error().message, HasSubstr("META_PASSWORD"));
    EXPECT_THAT(failed.error().message, testing::Not(HasSubstr("wrong")));
  }
}

TEST_F(StandaloneWithUsers, SaysWhichRightIsMissing) {
  const auto settings = Engine(UrlAs("blind:pw")).Settings();
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, ErrorCode::kPermission);
  EXPECT_THAT(settings.error().message, HasSubstr("Redis refuses GET: NOPERM"));
}

TEST(StandaloneFull, WaitsForRoomWhereTheServerHasTooManyClients) {
  rig::TempDir folder;
  RedisServer server(folder, "redis", {"--maxclients", "1"});
  Engine engine("redis://" + server.address() + "/0");
  const auto full = engine.Connect(300ms);  // the only place is taken by the test itself
  ASSERT_FALSE(full);
  EXPECT_TRUE(IsRetryable(full.error().code));
  EXPECT_THAT(full.error().message, HasSubstr("max number of clients"));
  server.Do({"CONFIG", "SET", "maxclients", "2"});
  EXPECT_TRUE(engine.Connect(10s));
}

}  // namespace
}  // namespace prewarm::metadata
