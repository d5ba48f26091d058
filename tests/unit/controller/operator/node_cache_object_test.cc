#include "controller/operator/node_cache_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>
#include <vector>

namespace prewarm::controller {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::uint64_t kGiB = 1ULL << 30;

Node Agent() {
  Node node;
  node.name = "gpu-1";
  node.connected = true;
  node.version = "1.0";
  node.seen_at = WallTime(std::chrono::hours(500'000));
  node.directories = {{"/var/jfsCache", 100 * kGiB, 60 * kGiB, "local_nvme"}};
  node.volumes = {{"uuid-1", 5 * kGiB, true, "it is live", "live"},
                  {"uuid-2", kGiB, false, "", "before-mount"}};
  return node;
}

NodeCacheModel Model(TaskState state, std::uint64_t done = 0) {
  return {"team", "chat", "models", state, 4 * kGiB, done};
}

NodeCacheStatus Of(const Node& node, std::vector<NodeCacheModel> models) {
  return NodeCacheOf(node, std::move(models), {{"uuid-1", "models"}}, std::nullopt);
}

std::string Condition(const NodeCacheStatus& status, const std::string& type) {
  for (const auto& condition : status.conditions) {
    if (condition.type == type) return condition.status + " " + condition.reason;
  }
  return "absent";
}

TEST(NodeCache, SaysWhatTheNodeHolds) {
  const auto status = Of(Agent(), {Model(TaskState::kVisible, 4 * kGiB)});
  ASSERT_THAT(status.volumes, SizeIs(2));
  EXPECT_EQ(status.volumes[0].name, "models");
  EXPECT_EQ(status.volumes[0].visible_bytes, 4 * kGiB);
  EXPECT_EQ(status.volumes[0].adoption, "live");
  EXPECT_EQ(status.volumes[1].name, "") << "not one of ours";
  EXPECT_EQ(Condition(status, "AgentConnected"), "True Connected");
  EXPECT_EQ(Condition(status, "Warm"), "True AllVisible");
  EXPECT_EQ(status.seconds_until_warm, 0);
}

TEST(NodeCache, IsWarmOnlyOnceEverythingIsVisible) {
  EXPECT_EQ(Condition(Of(Agent(), {}), "Warm"), "True NothingOrdered");
  for (const auto state : {TaskState::kWaiting, TaskState::kQueued, TaskState::kRunning,
                           TaskState::kStored, TaskState::kStale}) {
    const auto status = Of(Agent(), {Model(TaskState::kVisible), Model(state)});
    EXPECT_EQ(Condition(status, "Warm"), "False Warming") << StateName(state);
    EXPECT_EQ(status.running + status.queued, 1);
    EXPECT_EQ(status.seconds_until_warm, std::nullopt) << "nobody foretold it";
  }
  EXPECT_EQ(Condition(Of(Agent(), {Model(TaskState::kFailed)}), "Warm"), "False SomeFailed");
}

TEST(NodeCache, AtRestHasNoNews) {
  const auto told = Of(Agent(), {Model(TaskState::kVisible)});
  auto later = Agent();
  *later.seen_at += std::chrono::hours(1);
  later.directories[0].available_bytes -= kGiB / 2;
  later.measured_disk_rate = 7;
  EXPECT_EQ(NewsIn(told, Of(later, {Model(TaskState::kVisible)})), NodeCacheNews::kNone);
}

TEST(NodeCache, HasNumbersToTellWithoutHurry) {
  const auto told = Of(Agent(), {Model(TaskState::kRunning, kGiB)});
  EXPECT_EQ(NewsIn(told, Of(Agent(), {Model(TaskState::kRunning, 2 * kGiB)})),
            NodeCacheNews::kNumbers);
  auto fuller = Agent();
  fuller.directories[0].available_bytes -= 2 * kGiB;
  EXPECT_EQ(NewsIn(told, Of(fuller, {Model(TaskState::kRunning, kGiB)})), NodeCacheNews::kNumbers);
}

TEST(NodeCache, TellsAtOnceThatAnAgentWentOrANodeIsWarm) {
  const auto told = Of(Agent(), {Model(TaskState::kRunning)});
  auto away = Agent();
  away.connected = false;
  EXPECT_EQ(NewsIn(told, Of(away, {Model(TaskState::kRunning)})), NodeCacheNews::kNotable);
  EXPECT_EQ(NewsIn(told, Of(Agent(), {Model(TaskState::kVisible)})), NodeCacheNews::kNotable);
}

TEST(NodeCache, FitsTheDefinitionWhateverAnAgentSays) {
  auto node = Agent();
  node.version = std::string(1000, '\xff');
  node.directories.assign(100, {std::string(10'000, 'd'), ~0ULL, ~0ULL, std::string(999, 'x')});
  node.volumes.assign(500, {std::string(99, 'u'), ~0ULL, true, "", std::string(99, 'a')});
  const auto object = NodeCacheStatusObject(
      NodeCacheOf(node, std::vector(5000, Model(TaskState::kRunning)), {}, 1e300));
  EXPECT_LE(object.at("agentVersion").as_string().size(), 64);
  EXPECT_THAT(object.at("directories").as_array(), SizeIs(16));
  EXPECT_THAT(object.at("volumes").as_array(), SizeIs(64));
  EXPECT_THAT(object.at("models").as_array(), SizeIs(1000));
  EXPECT_LE(boost::json::serialize(object).size(), 1 << 20);
  boost::json::error_code error;
  static_cast<void>(boost::json::parse(boost::json::serialize(object), error));
  EXPECT_FALSE(error) << "it must be UTF-8";
}

TEST(NodeCache, IsReadFromAnythingWhatever) {
  const auto read =
      ReadNodeCacheObject(boost::json::parse(R"({"metadata": {"name": "n", "resourceVersion": "4"},
                             "status": {"connected": true, "conditions": "none"}})")
                              .as_object());
  EXPECT_EQ(read.name, "n");
  EXPECT_TRUE(read.connected);
  EXPECT_FALSE(ReadNodeCacheObject(boost::json::parse(R"({"status": 1})").as_object()).connected);
}

}  // namespace
}  // namespace prewarm::controller
