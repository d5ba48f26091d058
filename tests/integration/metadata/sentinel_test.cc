// A primary, a replica and three Sentinels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/metadata/followed_volume.h"
#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::metadata {
namespace {

using testing::HasSubstr;

class Sentinel : public testing::Test {
 protected:
  Sentinel()
      : primary(folder, "primary",
                {"--requirepass", "pw", "--masterauth", "pw", "--repl-diskless-sync-delay", "0"}),
        replica(folder, "replica",
                {"--requirepass", "pw", "--masterauth", "pw", "--replicaof", "127.0.0.1",
                 std::to_string(primary.port())}) {
    primary.Do({"AUTH", "pw"});
    replica.Do({"AUTH", "pw"});
    for (int i = 0; i < 3; ++i) StartSentinel("sentinel" + std::to_string(i));
  }

  void StartSentinel(const std::string& name) {
    std::ofstream(folder / (name + ".conf"))
        << "sentinel monitor mymaster 127.0.0.1 " << primary.port() << " 2\n"
        << "sentinel auth-pass mymaster pw\n"
        << "sentinel down-after-milliseconds mymaster 500\n"
        << "sentinel failover-timeout mymaster 3000\n"
        << "requirepass watch\nsentinel sentinel-pass watch\n";
    sentinels.push_back(
        std::make_unique<RedisServer>(folder, name, std::vector<std::string>{}, "redis-sentinel"));
    sentinels.back()->Do({"AUTH", "watch"});
  }

  [[nodiscard]] std::string Url(const std::string& password = "pw",
                                const std::string& master = "mymaster") const {
    std::string url = "redis://:" + password + "@" + master;
    for (const auto& sentinel : sentinels) url += "," + sentinel->address();
    return url + "/1";
  }

  static Engine Client(const std::string& url, const std::string& sentinel_password = "watch") {
    return Engine(url, {{"SENTINEL_PASSWORD", sentinel_password}});
  }

  // The replica has everything, and the Sentinels know it and each other.
  void AwaitReady() {
    ASSERT_EQ(primary.Do({"WAIT", "1", "10000"}), "1");
    ASSERT_TRUE(rig::WaitFor(
        [&] {
          return std::ranges::all_of(sentinels, [](const auto& sentinel) {
            const auto info = sentinel->Do({"INFO", "sentinel"});
            return info.find("status=ok") != info.npos && info.find("slaves=1") != info.npos &&
                   info.find("sentinels=3") != info.npos;
          });
        },
        20s))
        << sentinels[0]->Do({"INFO", "sentinel"});
  }

  rig::TempDir folder;
  RedisServer primary;
  RedisServer replica;
  std::vector<std::unique_ptr<RedisServer>> sentinels;
};

TEST_F(Sentinel, FindsTheNewPrimaryAfterTheOldOneWasKilled) {
  VolumeBuilder(primary, 1).Written(1, "file", 10);
  primary.Flush();
  AwaitReady();
  Engine engine = Client(Url());
  const std::string expected = "file 10: 0+10=1@0/10\n";
  const auto before = engine.Resolve();
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_EQ(Show(*before), expected);
  primary.Kill();
  const auto after = engine.Resolve();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(Show(*after), expected);
  RedisAdmin promoted(replica.socket_path());  // Sentinels hang up on clients of a new primary
  promoted.Do({"AUTH", "pw"});
  EXPECT_THAT(promoted.Do({"ROLE"}), testing::StartsWith("master"));
}

TEST_F(Sentinel, FollowsTheNewPrimaryAfterTheOldOneWasKilled) {
  const auto inode = VolumeBuilder(primary, 1).Written(1, "file", 10);
  primary.Flush();
  AwaitReady();
  FollowedVolume followed(Url());
  ASSERT_TRUE(followed.Read());
  ASSERT_TRUE(followed.redis().tracking()) << followed.redis().refusal();
  primary.Kill();
  EXPECT_TRUE(followed.Within(3s, [&] { return followed.anything(); }));
  EXPECT_TRUE(followed.Within(30s, [&] { return followed.redis().tracking(); }));
  ASSERT_TRUE(followed.Read());
  RedisAdmin promoted(replica.socket_path());
  promoted.Do({"AUTH", "pw"});
  promoted.Do({"SELECT", "1"});
  EXPECT_EQ(promoted.Do({"DEL", "i" + std::to_string(inode)}), "1");
  EXPECT_TRUE(followed.Within(1s, [&] { return followed.Heard("i" + std::to_string(inode)); }));
}

TEST_F(Sentinel, IsNotDelayedByDeadSentinels) {
  AwaitReady();
  sentinels[0]->Kill();
  Engine engine = Client("redis://:pw@mymaster,192.0.2.1:26379," + sentinels[0]->address() + "," +
                         sentinels[1]->address() + "/1");
  const auto connected = engine.Connect(2s);  // below the dialer's patience
  EXPECT_TRUE(connected) << connected.error().message;
}

TEST_F(Sentinel, SaysWhatIsWrong) {
  AwaitReady();
  const auto unknown = Client(Url("pw", "other")).Connect(1h);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("no master named \"other\""));

  const auto wrong = Client(Url("wrong")).Connect(1h);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kPermission);
  EXPECT_THAT(wrong.error().message, HasSubstr(primary.address()));

  for (const char* password : {"", "wrong"}) {
    const auto sentinel = Client(Url(), password).Connect(1h);
    ASSERT_FALSE(sentinel);
    EXPECT_EQ(sentinel.error().code, ErrorCode::kPermission) << sentinel.error().message;
    EXPECT_THAT(sentinel.error().message, HasSubstr("SENTINEL_PASSWORD"));
  }
}

TEST_F(Sentinel, DoesNotTakeAReplicaForThePrimary) {
  // A Sentinel that is behind: it watches the replica as if that were the primary.
  AwaitReady();
  std::ofstream(folder / "behind.conf")
      << "sentinel monitor mymaster 127.0.0.1 " << replica.port() << " 1\n"
      << "sentinel auth-pass mymaster pw\nsentinel failover-timeout mymaster 180000\n";
  RedisServer behind(folder, "behind", {}, "redis-sentinel");
  Engine only = Client("redis://:pw@mymaster," + behind.address() + "/1", "");
  const auto misled = only.Execute({{"GET", "x"}}, 300ms);
  if (misled) {
    // A Sentinel that follows the replica's own word ends at the true primary: right as well.
    EXPECT_THAT(primary.Do({"INFO", "commandstats"}), HasSubstr("cmdstat_get"));
  } else {
    EXPECT_THAT(misled.error().message, HasSubstr("does not call itself master"));
  }
  EXPECT_THAT(replica.Do({"INFO", "commandstats"}), testing::Not(HasSubstr("cmdstat_get")));
}

}  // namespace
}  // namespace prewarm::metadata
