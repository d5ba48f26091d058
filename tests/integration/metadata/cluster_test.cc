// A Redis Cluster of three masters with a replica each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "common/metadata/redis_slots.h"
#include "tests/integration/metadata/followed_volume.h"
#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::metadata {
namespace {

using testing::HasSubstr;

constexpr const char* kPrefix = "{1}";

class Cluster : public testing::Test {
 protected:
  explicit Cluster(int replicas = 0) {
    for (int i = 0; i < 3 * (1 + replicas); ++i) {
      nodes.push_back(std::make_unique<RedisServer>(
          folder, "node" + std::to_string(i),
          std::vector<std::string>{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                                   "--cluster-port", std::to_string(rig::FreePort()),
                                   "--repl-diskless-sync-delay", "0"}));
    }
    std::vector<std::string> create{"redis-cli", "--cluster", "create"};
    for (const auto& node : nodes) create.push_back(node->address());
    create.insert(create.end(), {"--cluster-replicas", std::to_string(replicas), "--cluster-yes"});
    rig::ChildProcess cli(create, folder / "create.log");
    EXPECT_EQ(cli.Wait(), 0) << cli.Log();
    EXPECT_TRUE(rig::WaitFor(
        [&] {
          return std::ranges::all_of(nodes, [&](const auto& node) {
            return node->Do({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
          });
        },
        20s));
  }

  // The node that answers for the volume's slot: all others say MOVED.
  RedisServer& Owner() {
    for (const auto& node : nodes) {
      if (!node->Do({"GET", std::string(kPrefix) + "x"}).starts_with("MOVED")) return *node;
    }
    ADD_FAILURE() << "nobody owns the slot";
    return *nodes[0];
  }

  VolumeBuilder Volume(RedisServer& node) {
    return {
        [&node](const auto& command) { EXPECT_THAT(node.Do(command), Not(HasSubstr("MOVED"))); },
        kPrefix};
  }

  // A seed that is not the owner.
  std::string Seed(const RedisServer& owner) {
    return nodes[0].get() == &owner ? nodes[1]->address() : nodes[0]->address();
  }

  static std::string Id(RedisServer& node) { return node.Do({"CLUSTER", "MYID"}); }

  rig::TempDir folder;
  std::vector<std::unique_ptr<RedisServer>> nodes;
};

TEST_F(Cluster, IsReadThroughAnyMemberAndFoundOutByASingleOne) {
  RedisServer& owner = Owner();
  auto volume = Volume(owner);
  volume.Setting("clustered");
  volume.Written(volume.Directory(VolumeBuilder::kRoot, "models"), "file", 10);
  for (const auto& node : nodes) node->Do({"CONFIG", "RESETSTAT"});
  for (const std::string& hosts :
       {Seed(owner), owner.address(), nodes[0]->address() + "," + nodes[1]->address()}) {
    Engine engine("redis://" + hosts + "/1");
    const auto settings = engine.Settings();
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->name, "clustered");
    EXPECT_EQ(engine.redis().key_prefix(), kPrefix);
    EXPECT_EQ(Show(*engine.Resolve()), "models/file 10: 0+10=1@0/10\n");
    EXPECT_EQ(Show(*engine.List("models")), "/models\nfile file 10\n");
  }
  const std::vector<std::string> allowed = {
      "cluster|info", "cluster|slots", "get",  "select", "mget",     "hget",
      "hscan",        "lrange",        "ping", "psync",  "replconf", "config|resetstat"};
  for (const auto& node : nodes) {
    EXPECT_THAT(CommandsSeen(*node), testing::IsSubsetOf(allowed));
  }
}

TEST_F(Cluster, HashesKeysAsTheServersDo) {
  for (const std::string key : {"{1}setting", "{12}c1_0", "plain", "{}x", "a{b}c", "a{{b}}c"}) {
    EXPECT_EQ(std::to_string(SlotOf(key)), nodes[0]->Do({"CLUSTER", "KEYSLOT", key}));
  }
}

TEST_F(Cluster, FollowsASlotThatMoves) {
  RedisServer& from = Owner();
  RedisServer& to = nodes[0].get() == &from ? *nodes[1] : *nodes[0];
  auto volume = Volume(from);
  for (int i = 0; i < 20; ++i) volume.Written(VolumeBuilder::kRoot, std::to_string(i), 10);
  Engine engine("redis://" + from.address() + "/1");
  const auto before = engine.Resolve();
  ASSERT_TRUE(before) << before.error().message;
  ASSERT_EQ(before->files.size(), 20U);

  const std::string slot = std::to_string(SlotOf(kPrefix));
  to.Do({"CLUSTER", "SETSLOT", slot, "IMPORTING", Id(from)});
  from.Do({"CLUSTER", "SETSLOT", slot, "MIGRATING", Id(to)});
  const std::string port = std::to_string(to.port());
  const auto migrate = [&](const std::string& key) {
    EXPECT_EQ(from.Do({"MIGRATE", "127.0.0.1", port, key, "0", "10000"}), "OK") << key;
  };
  // Half way: slices have gone, so they are asked for at the new server (ASK), directory and
  // attributes have not.
  for (int inode = 2; inode < 22; ++inode) migrate(kPrefix + ("c" + std::to_string(inode)) + "_0");
  const auto half_way = engine.Resolve();
  ASSERT_TRUE(half_way) << half_way.error().message;
  EXPECT_EQ(Show(*half_way), Show(*before));
  EXPECT_THAT(to.Do({"INFO", "commandstats"}), HasSubstr("cmdstat_asking"));

  for (int inode = 2; inode < 22; ++inode) migrate(kPrefix + ("i" + std::to_string(inode)));
  migrate(kPrefix + std::string("d1"));
  for (RedisServer* node : {&to, &from}) node->Do({"CLUSTER", "SETSLOT", slot, "NODE", Id(to)});
  const auto after = engine.Resolve();  // its connection is still to the old server: MOVED
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(Show(*after), Show(*before));
}

TEST_F(Cluster, WaitsOutKeysThatAreSplitBetweenServers) {
  RedisServer& from = Owner();
  RedisServer& to = nodes[0].get() == &from ? *nodes[1] : *nodes[0];
  from.Do({"SET", "{1}a", "1"});
  from.Do({"SET", "{1}b", "2"});
  Engine engine("redis://" + from.address() + "/1");
  const std::string slot = std::to_string(SlotOf(kPrefix));
  to.Do({"CLUSTER", "SETSLOT", slot, "IMPORTING", Id(from)});
  from.Do({"CLUSTER", "SETSLOT", slot, "MIGRATING", Id(to)});
  const std::string port = std::to_string(to.port());
  ASSERT_EQ(from.Do({"MIGRATE", "127.0.0.1", port, "{1}a", "0", "10000"}), "OK");
  const auto split = engine.Execute({{"MGET", "{1}a", "{1}b"}}, 300ms);
  ASSERT_FALSE(split);
  EXPECT_THAT(split.error().message, HasSubstr("TRYAGAIN"));
  ASSERT_EQ(from.Do({"MIGRATE", "127.0.0.1", port, "{1}b", "0", "10000"}), "OK");
  const auto moved = engine.Execute({{"MGET", "{1}a", "{1}b"}});
  ASSERT_TRUE(moved) << moved.error().message;
  ASSERT_EQ(moved->front().elements.size(), 2U);
  EXPECT_EQ(moved->front().elements[1].text, "2");
}

TEST_F(Cluster, TellsOfChangesAlsoWhileASlotMoves) {
  RedisServer& from = Owner();
  RedisServer& to = nodes[0].get() == &from ? *nodes[1] : *nodes[0];
  auto volume = Volume(from);
  const auto inode = std::to_string(volume.Written(VolumeBuilder::kRoot, "file", 10));
  FollowedVolume followed("redis://" + to.address() + "/1");
  ASSERT_TRUE(followed.Read());
  ASSERT_TRUE(followed.redis().tracking()) << followed.redis().refusal();
  volume.Written(VolumeBuilder::kRoot, "another", 10);
  EXPECT_TRUE(followed.Within(1s, [&] { return followed.Heard("{1}d1"); }));
  ASSERT_TRUE(followed.Read());

  const std::string slot = std::to_string(SlotOf(kPrefix));
  to.Do({"CLUSTER", "SETSLOT", slot, "IMPORTING", Id(from)});
  from.Do({"CLUSTER", "SETSLOT", slot, "MIGRATING", Id(to)});
  const std::string chunk = "{1}c" + inode + "_0";
  ASSERT_EQ(from.Do({"MIGRATE", "127.0.0.1", std::to_string(to.port()), chunk, "0", "10000"}),
            "OK");
  EXPECT_TRUE(followed.Within(1s, [&] { return followed.Heard(chunk); })) << "it left the server";
  ASSERT_TRUE(followed.Read());
  EXPECT_TRUE(followed.anything()) << "the new server does not watch the key that it was asked for";
}

class ReplicatedCluster : public Cluster {
 protected:
  ReplicatedCluster() : Cluster(1) {}
};

TEST_F(ReplicatedCluster, IsReadAgainAfterTheOwnerWasKilled) {
  RedisServer& owner = Owner();
  Volume(owner).Written(VolumeBuilder::kRoot, "file", 10);
  ASSERT_EQ(owner.Do({"WAIT", "1", "10000"}), "1");
  Engine engine("redis://" + owner.address() + "/1");  // its only seed dies as well
  const std::string expected = "file 10: 0+10=1@0/10\n";
  ASSERT_EQ(Show(*engine.Resolve()), expected);
  owner.Kill();
  const auto after = engine.Resolve();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(Show(*after), expected);
}

}  // namespace
}  // namespace prewarm::metadata
