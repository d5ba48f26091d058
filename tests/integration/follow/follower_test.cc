// Kept prewarms are followed on a real Redis: how soon a change is read, who shares a reading, what
// is left alone, and what idle following costs the server.
#include "controller/reconcile/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::controller {
namespace {

using metadata::RedisServer;
using metadata::VolumeBuilder;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

using Paths = std::vector<std::string>;

class Following : public testing::Test {
 protected:
  Following() : server(folder, "redis"), volume(server, 1) {
    volume.Setting();
    for (const char* name : {"a", "b"}) {
      directory[name] = volume.Directory(VolumeBuilder::kRoot, name);
      volume.Written(directory[name], "file", 10);
    }
    server.Flush();
  }
  ~Following() override {
    bool stopped = false;
    TaskGroup group(loop.get_executor());
    group.Spawn("stop", StopIt(*follower, stopped));
    EXPECT_TRUE(Within(10s, [&] { return stopped; }));
  }
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

  [[nodiscard]] std::string Url(const std::string& user_info) const {
    return "redis://" + user_info + server.address() + "/1";
  }
  void Start(const std::string& user_info = "") {
    VolumeConfig config;
    config.meta = Url(user_info);
    Start(config);
  }
  void Start(const VolumeConfig& config) {
    volumes["models"] = std::make_shared<Volume>("models", config, clock);
    follower = std::make_unique<Follower>(
        FollowParts{loop.get_executor(), clock, log, reconcile_metrics, [this] { ++readings; }},
        volumes);
    follower->SetPollInterval(500ms);
  }

  // As the reconciler does in each of its rounds.
  std::vector<const Follower::Reading*> Round(const std::vector<Paths>& prewarms) {
    std::vector<const Follower::Reading*> found;
    for (const auto& paths : prewarms) found.push_back(follower->Follow("models", paths));
    follower->DropOthers();
    return found;
  }
  bool Within(Duration limit, const std::function<bool()>& condition) {
    const auto end = clock.Now() + limit;
    while (!condition() && clock.Now() < end) {
      loop.restart();  // it may have run dry
      loop.run_for(10ms);
    }
    return condition();
  }
  // How the only prewarm of these paths reads once its version is above `version`.
  Follower::Reading Await(const Paths& paths, std::uint64_t version, Duration limit = 10s) {
    const Follower::Reading* last = nullptr;
    EXPECT_TRUE(Within(limit, [&] {
      last = Round({paths}).front();
      return last != nullptr && last->version > version;
    })) << paths.front();
    return last == nullptr ? Follower::Reading{} : *last;
  }
  std::uint64_t Calls(const std::string& command) {
    const auto info = server.Do({"INFO", "commandstats"});
    const std::string mark = "cmdstat_" + command + ":calls=";
    const auto at = info.find(mark);
    return at == info.npos ? 0 : std::stoull(info.substr(at + mark.size()));
  }

  static Task<void> StopIt(Follower& follower, bool& stopped) {
    co_await follower.Stop();
    stopped = true;
  }

  rig::TempDir folder;
  RedisServer server;
  VolumeBuilder volume;
  std::map<std::string, std::uint64_t> directory;
  boost::asio::io_context loop;
  SystemClock clock;
  std::vector<std::string> lines;
  Logger log{LogLevel::kInfo, LogFormat::kText,
             [this](std::string_view line) { lines.emplace_back(line); }};
  Metrics metrics;
  ReconcileMetrics reconcile_metrics{metrics};
  VolumeMap volumes;
  std::unique_ptr<Follower> follower;
  int readings = 0;
};

TEST_F(Following, ReadsWhatHasChangedSoonAfterwards) {
  Start();
  auto reading = Await({"a"}, 0);
  ASSERT_TRUE(reading.plan) << reading.plan.error().message;
  EXPECT_EQ((*reading.plan)->files, 1U);
  EXPECT_TRUE(volumes["models"]->following().tracking);
  volume.Written(directory["a"], "second", 10);
  server.Flush();
  reading = Await({"a"}, reading.version, 1500ms);
  ASSERT_TRUE(reading.plan);
  EXPECT_EQ((*reading.plan)->files, 2U);
  EXPECT_GE(volumes["models"]->following().invalidations, 1U);
  volume.Raw({"HDEL", "d" + std::to_string(directory["a"]), "file"});
  server.Flush();
  reading = Await({"a"}, reading.version, 1500ms);
  ASSERT_TRUE(reading.plan);
  EXPECT_EQ((*reading.plan)->files, 1U);
}

TEST_F(Following, FollowsASymlinkAndAPathThatDoesNotExistYet) {
  volume.Symlink(VolumeBuilder::kRoot, "current", "a");
  server.Flush();
  Start();
  const auto before = Await({"current"}, 0);
  ASSERT_TRUE(before.plan);
  volume.Written(directory["b"], "second", 10);
  volume.Symlink(VolumeBuilder::kRoot, "current", "b");
  server.Flush();
  const auto after = Await({"current"}, before.version, 1500ms);
  ASSERT_TRUE(after.plan);
  EXPECT_EQ((*after.plan)->files, 2U);

  const auto missing = Await({"c"}, after.version);
  ASSERT_FALSE(missing.plan);
  EXPECT_EQ(missing.plan.error().code, ErrorCode::kNotFound);
  volume.Written(volume.Directory(VolumeBuilder::kRoot, "c"), "file", 10);
  server.Flush();
  EXPECT_TRUE(Await({"c"}, missing.version, 1500ms).plan);
}

TEST_F(Following, ReadsOnceForAllPrewarmsOfTheSamePathsAndLeavesOthersAlone) {
  Start();
  const std::vector<Paths> prewarms{{"a"}, {"b"}, {"a"}, {"a"}};
  ASSERT_TRUE(Within(10s, [&] {
    const auto found = Round(prewarms);
    return std::ranges::all_of(found, [](const auto* reading) { return reading != nullptr; });
  }));
  const auto before = Round(prewarms);
  EXPECT_EQ(before[0], before[2]);
  const auto other_version = before[1]->version;
  const auto version = before[0]->version;
  server.Do({"CONFIG", "RESETSTAT"});
  volume.Written(directory["a"], "second", 10);
  server.Flush();
  ASSERT_TRUE(Within(1500ms, [&] { return Round(prewarms)[3]->version > version; }));
  // Nothing more comes after it.
  EXPECT_FALSE(Within(1s, [&] { return Round(prewarms)[1]->version > other_version; }));
  EXPECT_EQ(Calls("hscan"), 1U) << server.Do({"INFO", "commandstats"});
}

TEST_F(Following, SaysNothingNewWhereThePlanIsTheSame) {
  Start();
  const auto reading = Await({"a"}, 0);
  server.Do({"CONFIG", "RESETSTAT"});
  volume.Raw({"SET", "i" + std::to_string(directory["a"]), "of no interest"});
  volume.Raw({"HSET", "d" + std::to_string(directory["a"]), "dangling",
              std::string("\1\0\0\0\0\0\0\1\0", 9)});
  server.Flush();
  ASSERT_TRUE(Within(2s, [&] {
    Round({{"a"}});
    return Calls("hscan") == 1;
  }));
  EXPECT_FALSE(Within(500ms, [&] { return Round({{"a"}})[0]->version != reading.version; }));
  EXPECT_EQ(readings, 1);
}

TEST_F(Following, PollsWhereTheServerDoesNotTellAndSaysSoOnce) {
  ASSERT_EQ(server.Do({"ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@connection"}),
            "OK");
  Start("reader:pw@");
  const auto before = Await({"a"}, 0);
  ASSERT_TRUE(before.plan);
  EXPECT_FALSE(volumes["models"]->following().tracking);
  for (int i = 0; i < 3; ++i) {
    const auto calls = Calls("hscan");
    ASSERT_TRUE(Within(3s, [&] {
      Round({{"a"}});
      return Calls("hscan") > calls;
    }));
  }
  volume.Written(directory["a"], "second", 10);
  server.Flush();
  EXPECT_EQ((*Await({"a"}, before.version, 2s).plan)->files, 2U);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("follow_by_polling volume=models why="));
  EXPECT_THAT(lines[0], HasSubstr("NOPERM"));
}

TEST_F(Following, ReadsAgainAfterTheServerWasAway) {
  Start();
  const auto before = Await({"a"}, 0);
  server.Kill();
  Within(500ms, [] { return false; });
  server.Restart();  // it has lost everything
  VolumeBuilder anew(server, 1);
  anew.Setting();
  const auto a = anew.Directory(VolumeBuilder::kRoot, "a");
  for (int i = 0; i < 3; ++i) anew.Written(a, std::to_string(i), 10);
  server.Flush();
  Follower::Reading reading = before;
  ASSERT_TRUE(Within(15s, [&] {
    reading = *Round({{"a"}})[0];
    return reading.plan && (*reading.plan)->files == 3;
  }));
  EXPECT_TRUE(Within(3s, [&] { return volumes["models"]->following().tracking; }));
}

TEST_F(Following, TakesAPasswordThatWasChangedFromItsFile) {
  ASSERT_EQ(server.Do({"ACL", "SETUSER", "u", "on", ">old", "~*", "&*", "+@all"}), "OK");
  VolumeConfig config;
  config.meta_file = folder / "url";
  std::ofstream(config.meta_file) << Url("u:old@");
  Start(config);
  const auto before = Await({"a"}, 0);
  ASSERT_TRUE(before.plan);
  ASSERT_EQ(server.Do({"ACL", "SETUSER", "u", "resetpass", ">new"}), "OK");
  server.Do({"CLIENT", "KILL", "USER", "u"});
  const auto refused = Await({"a"}, before.version);
  ASSERT_FALSE(refused.plan);
  EXPECT_EQ(refused.plan.error().code, ErrorCode::kPermission);
  std::ofstream(config.meta_file) << Url("u:new@");
  EXPECT_TRUE(Await({"a"}, refused.version).plan);
  EXPECT_TRUE(volumes["models"]->following().tracking);
}

TEST_F(Following, EndsWithTheLastPrewarm) {
  Start();
  Await({"a"}, 0);
  EXPECT_THAT(server.Do({"INFO", "clients"}), HasSubstr("tracking_clients:1"));
  Round({});
  EXPECT_TRUE(Within(3s, [&] {
    return server.Do({"INFO", "clients"}).find("tracking_clients:0") != std::string::npos;
  }));
  EXPECT_FALSE(volumes["models"]->following().tracking);
  EXPECT_TRUE(Await({"a"}, 0).plan) << "and begins anew";
}

}  // namespace
}  // namespace prewarm::controller
