// Real servers tell about changes of what was read: of which, how soon, and what is said when they
// cannot, or when a connection is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/metadata/followed_volume.h"
#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::metadata {
namespace {

using testing::HasSubstr;
using testing::IsSubsetOf;

constexpr auto kRoot = VolumeBuilder::kRoot;

class Tracking : public testing::Test {
 protected:
  Tracking() : server(folder, "redis"), volume(server, 1) {
    volume.Setting();
    models = volume.Directory(kRoot, "models");
    file = volume.Written(models, "file", 10);
    volume.Written(kRoot, "other", 10);
    server.Flush();
  }
  [[nodiscard]] std::string Url() const { return "redis://" + server.address() + "/1"; }
  void Kill(const std::string& kind) { server.Do({"CLIENT", "KILL", "TYPE", kind}); }

  rig::TempDir folder;
  RedisServer server;
  VolumeBuilder volume;
  std::uint64_t models = 0;
  std::uint64_t file = 0;
};

TEST_F(Tracking, TellsWithinASecondWhatHasChanged) {
  struct Case {
    const char* what;
    std::function<void()> change;
    std::string key;
  };
  const std::string inode = std::to_string(file);
  const std::vector<Case> cases{
      {"new file", [&] { volume.Written(models, "new", 5); }, "d" + std::to_string(models)},
      {"longer", [&] { volume.Attribute(file, 1, 20); }, "i" + inode},
      {"appended", [&] { volume.Append(file, 0, {10, 99, 10, 0, 10}); }, "c" + inode + "_0"},
      {"compacted", [&] { volume.Raw({"LTRIM", "c" + inode + "_0", "1", "-1"}); },
       "c" + inode + "_0"},
      {"removed", [&] { volume.Raw({"HDEL", "d" + std::to_string(models), "file"}); },
       "d" + std::to_string(models)},
  };
  for (const std::string& url : {Url(), "unix://" + server.socket_path() + "?db=1"}) {
    volume.Entry(models, "file", 1, file);  // back again
    server.Flush();
    FollowedVolume followed(url);
    for (const Case& c : cases) {
      ASSERT_TRUE(followed.Read()) << c.what;
      ASSERT_TRUE(followed.redis().tracking()) << followed.redis().refusal();
      ASSERT_TRUE(followed.nothing()) << c.what;
      c.change();
      server.Flush();
      EXPECT_TRUE(followed.Within(1s, [&] { return followed.Heard(c.key); })) << c.what;
      EXPECT_FALSE(followed.anything()) << c.what;
    }
  }
}

TEST_F(Tracking, SaysNothingOfWhatWasNotReadOrDidNotChange) {
  FollowedVolume followed(Url());
  ASSERT_TRUE(followed.Read());
  EXPECT_EQ(followed.keys(), 6U) << "two directories, two attributes, two chunks";
  server.Do({"SET", "elsewhere", "1"});
  server.Do({"GET", "i" + std::to_string(file)});
  // The mark that all before it has arrived.
  server.Do({"DEL", "c" + std::to_string(file) + "_0"});
  ASSERT_TRUE(
      followed.Within(1s, [&] { return followed.Heard("c" + std::to_string(file) + "_0"); }));
  EXPECT_EQ(followed.redis().invalidations(), 1U);
  EXPECT_FALSE(followed.anything());
}

TEST_F(Tracking, TakesAFlushForAChangeOfAnything) {
  FollowedVolume followed(Url());
  ASSERT_TRUE(followed.Read());
  server.Do({"FLUSHALL"});
  EXPECT_TRUE(followed.Within(1s, [&] { return followed.anything(); }));
}

TEST_F(Tracking, TakesTheLossOfEitherConnectionForAChangeAndRecovers) {
  FollowedVolume followed(Url());
  for (const char* kind : {"pubsub", "normal"}) {
    ASSERT_TRUE(followed.Read());
    ASSERT_TRUE(followed.nothing());
    Kill(kind);
    EXPECT_TRUE(followed.Within(3s, [&] { return followed.anything(); })) << kind;
    EXPECT_TRUE(followed.Within(5s, [&] { return followed.redis().tracking(); })) << kind;
    ASSERT_TRUE(followed.Read());
    server.Do({"DEL", "i" + std::to_string(file)});
    EXPECT_TRUE(followed.Within(1s, [&] { return followed.Heard("i" + std::to_string(file)); }))
        << kind;
    volume.Attribute(file, 1, 10);
    server.Flush();
  }
}

TEST_F(Tracking, NoticesAServerThatHasGoneSilent) {
  FollowedVolume followed(Url());
  ASSERT_TRUE(followed.Read());
  server.Do({"CLIENT", "PAUSE", "3000", "ALL"});  // takes requests, answers nobody
  EXPECT_TRUE(followed.Within(2500ms, [&] { return followed.anything(); }));
  EXPECT_TRUE(followed.Within(20s, [&] { return followed.redis().tracking(); }));
}

TEST_F(Tracking, CostsTheServerLittleWhileNothingChanges) {
  FollowedVolume followed(Url(), {.heartbeat = 300ms});
  ASSERT_TRUE(followed.Read());
  server.Do({"CONFIG", "RESETSTAT"});
  ASSERT_TRUE(followed.Within(2s, [&] {
    return server.Do({"INFO", "commandstats"}).find("cmdstat_ping:calls=4") != std::string::npos;
  })) << server.Do({"INFO", "commandstats"});
  EXPECT_THAT(CommandsSeen(server), IsSubsetOf({"ping", "info", "config|resetstat"}));
}

TEST_F(Tracking, OnlyReads) {
  server.Do({"CONFIG", "RESETSTAT"});
  {
    FollowedVolume followed(Url());
    ASSERT_TRUE(followed.Read());
    Kill("normal");
    ASSERT_TRUE(followed.Within(3s, [&] { return followed.anything(); }));
    ASSERT_TRUE(followed.Read());
  }
  const std::vector<std::string> allowed{
      "select",     "cluster|info", "client|id", "client|tracking", "subscribe", "ping",
      "get",        "mget",         "hget",      "hscan",           "lrange",    "config|resetstat",
      "client|kill"};
  EXPECT_THAT(CommandsSeen(server), IsSubsetOf(allowed));
}

TEST_F(Tracking, EndsWhereTooManyKeysWouldBeWatched) {
  FollowedVolume followed(Url(), {.heartbeat = 300ms, .most_keys = 7});
  ASSERT_TRUE(followed.Read());
  EXPECT_TRUE(followed.redis().tracking());
  ASSERT_TRUE(followed.Read(2));  // with those of others
  EXPECT_FALSE(followed.redis().tracking());
  EXPECT_THAT(followed.redis().refusal(), HasSubstr("more than 7 keys"));
  EXPECT_TRUE(followed.anything());
  Kill("normal");
  ASSERT_TRUE(followed.Read());
  EXPECT_FALSE(followed.redis().tracking()) << "for good";
  EXPECT_THAT(server.Do({"INFO", "clients"}), HasSubstr("tracking_clients:0"));
}

TEST_F(Tracking, HearsOfKeysThatTheServerForgets) {
  server.Do({"CONFIG", "SET", "tracking-table-max-keys", "3"});
  FollowedVolume followed(Url());
  ASSERT_TRUE(followed.Read());
  EXPECT_TRUE(followed.Within(2s, [&] { return followed.redis().invalidations() >= 3; }));
}

TEST_F(Tracking, WatchesAHundredThousandFilesAtASmallCost) {
  for (int i = 0; i < 100; ++i) {
    const auto directory = volume.Directory(kRoot, "d" + std::to_string(i));
    for (int j = 0; j < 1000; ++j) volume.Written(directory, std::to_string(j), 10);
    server.Flush();
  }
  const auto memory = [this] {
    const auto info = server.Do({"INFO", "memory"});
    return std::stoll(info.substr(info.find("used_memory:") + 12));
  };
  const auto seconds = [](const std::function<bool()>& read) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(read());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  Engine plain(Url());
  const double untracked = seconds([&] { return plain.Resolve().has_value(); });
  const auto before = memory();
  FollowedVolume followed(Url());
  const double tracked = seconds([&] { return followed.Read().has_value(); });
  EXPECT_TRUE(followed.redis().tracking()) << followed.redis().refusal();
  const auto cost = memory() - before;
  std::printf("keys %zu, read in %.2f s, tracked in %.2f s, server memory %.1f MiB\n",
              followed.keys(), untracked, tracked, static_cast<double>(cost) / (1 << 20));
  EXPECT_EQ(followed.keys(), 102U + 2 * 100'002U);
  EXPECT_LT(cost, 100LL << 20);
  EXPECT_LT(tracked, 3 * untracked + 1);
}

class TrackingWithUsers : public Tracking {
 protected:
  [[nodiscard]] std::string UrlAs(const std::string& user) const {
    return "redis://" + user + ":pw@" + server.address() + "/1";
  }
};

TEST_F(TrackingWithUsers, ReadsWithoutTrackingWhereTheUserMayNotTrack) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> users{
      {"nochannel", {"+@read", "+@connection", "+subscribe", "resetchannels"}},
      {"nosubscribe", {"+@read", "+@connection"}},
      {"notracking", {"+@read", "+@connection", "+subscribe", "allchannels", "-client|tracking"}},
      {"noid", {"+@read", "+@connection", "+subscribe", "allchannels", "-client|id"}},
  };
  for (const auto& [user, rights] : users) {
    std::vector<std::string> command{"ACL", "SETUSER", user, "on", ">pw", "~*"};
    command.insert(command.end(), rights.begin(), rights.end());
    ASSERT_EQ(server.Do(command), "OK");
    FollowedVolume followed(UrlAs(user));
    const auto read = followed.Read();
    ASSERT_TRUE(read) << user << ": " << read.error().message;
    EXPECT_FALSE(followed.redis().tracking()) << user;
    EXPECT_THAT(followed.redis().refusal(), HasSubstr("NOPERM")) << user;
    // Asked once, so that the server's log of refused commands does not grow.
    server.Do({"CONFIG", "RESETSTAT"});
    EXPECT_TRUE(followed.Within(3s, [&] {
      return server.Do({"INFO", "commandstats"}).find("cmdstat_ping:calls=2") != std::string::npos;
    }));
    EXPECT_THAT(CommandsSeen(server), IsSubsetOf({"ping", "info", "config|resetstat"})) << user;
  }
}

TEST_F(TrackingWithUsers, TracksWithTheRightToSubscribeToOneChannel) {
  ASSERT_EQ(server.Do({"ACL", "SETUSER", "follower", "on", ">pw", "~*", "+@read", "+@connection",
                       "+subscribe", "&__redis__:invalidate"}),
            "OK");
  FollowedVolume followed(UrlAs("follower"));
  ASSERT_TRUE(followed.Read());
  EXPECT_TRUE(followed.redis().tracking()) << followed.redis().refusal();
}

}  // namespace
}  // namespace prewarm::metadata
