#include "controller/plan/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/units.h"

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kVolume = "7f6e8a52-0000-4000-8000-000000000001";

Node ANode(const std::string& name, std::uint64_t room = 100_GiB) {
  Node node;
  node.name = name;
  node.connected = true;
  node.labels = {{"pool", "gpu"}};
  node.directories = {{"/var/jfsCache", 200_GiB, room, "nvme"}};
  node.measured_store_rate = 1_GiB;
  return node;
}

NodeSelector Named(std::vector<std::string> names) { return {std::move(names), {}, 0}; }
NodeSelector Labelled(std::map<std::string, std::string> labels) {
  return {{}, std::move(labels), 0};
}
NodeSelector Best(std::uint32_t count) { return {{}, {}, count}; }

std::vector<std::string> Chosen(const std::vector<Node>& nodes, const NodeSelector& selector,
                                const std::map<std::string, std::uint64_t>& queued = {},
                                const FleetLimits& limits = {}) {
  return Place(selector, 10_GiB, kVolume, nodes, queued, limits).nodes;
}

std::vector<std::string> Reasons(const std::vector<Node>& nodes, const NodeSelector& selector,
                                 const std::map<std::string, std::uint64_t>& queued = {}) {
  std::vector<std::string> reasons;
  for (const auto& rejected : Place(selector, 10_GiB, kVolume, nodes, queued).rejected) {
    reasons.push_back(rejected.node + " " + rejected.reason);
  }
  return reasons;
}

TEST(Place, TakesEveryFittingNodeWithoutACount) {
  EXPECT_THAT(Chosen({ANode("b"), ANode("a")}, {}), ElementsAre("a", "b"));
}

TEST(Place, MatchesNamesAndAllLabels) {
  auto zoned = ANode("zoned");
  zoned.labels["zone"] = "z1";
  const std::vector<Node> nodes{ANode("a"), ANode("b"), zoned};
  EXPECT_THAT(Chosen(nodes, Named({"b", "zoned"})), ElementsAre("b", "zoned"));
  EXPECT_THAT(Chosen(nodes, Labelled({{"pool", "gpu"}, {"zone", "z1"}})), ElementsAre("zoned"));
  EXPECT_THAT(Chosen(nodes, NodeSelector{{"a"}, {{"zone", "z1"}}, 0}), IsEmpty());
  EXPECT_THAT(Chosen(nodes, Labelled({{"zone", ""}})), IsEmpty());
}

TEST(Place, SaysWhyANodeCannotTakeIt) {
  auto away = ANode("away");
  away.connected = false;
  auto draining = ANode("draining");
  draining.draining = true;
  auto diskless = ANode("diskless");
  diskless.directories.clear();
  const std::vector<Node> nodes{away, draining, diskless, ANode("full", 7_GiB)};
  EXPECT_THAT(
      Reasons(nodes, {}),
      ElementsAre("away is not connected", "diskless has no cache directory", "draining drains",
                  "full needs 10.0 GiB, 3.00 GiB more than it has room for"));
  EXPECT_THAT(Chosen(nodes, {}), IsEmpty());
  EXPECT_EQ(Place({}, 10_GiB, kVolume, nodes, {}).rejected.back().missing_bytes, 3_GiB);
}

TEST(Place, DoesNotSpeakOfNodesThatDoNotMatch) {
  EXPECT_THAT(Reasons({ANode("full", 1)}, Labelled({{"pool", "cpu"}})), IsEmpty());
}

TEST(Place, NamesNodesThatNobodyKnows) {
  EXPECT_THAT(Reasons({ANode("a")}, Named({"a", "tpyo"})),
              ElementsAre("tpyo is not known: its agent never connected"));
}

TEST(Place, CountsWhatIsCachedAsRoomAndWhatIsQueuedAsTaken) {
  auto half_cached = ANode("half", 5_GiB);
  half_cached.volumes = {{"another volume", 100_GiB, false, ""}, {kVolume, 5_GiB, false, ""}};
  EXPECT_THAT(Chosen({half_cached}, {}), ElementsAre("half"));
  EXPECT_THAT(Reasons({half_cached}, {}, {{"half", 1_GiB}}),
              ElementsAre("half needs 5.00 GiB, 1.00 GiB more than it has room for"));
  half_cached.volumes[1].uuid = "a third";
  EXPECT_THAT(Chosen({half_cached}, {}), IsEmpty());
}

TEST(Place, WithACountTakesThoseThatWouldBeDoneFirst) {
  auto fast = ANode("fast");
  fast.measured_store_rate = 4_GiB;
  auto warm = ANode("warm");
  warm.volumes = {{kVolume, 50_GiB, true, ""}};
  const std::vector<Node> nodes{ANode("idle"), fast, warm, ANode("busy")};
  const std::map<std::string, std::uint64_t> queued{{"busy", 20_GiB}, {"warm", 90_GiB}};
  EXPECT_THAT(Chosen(nodes, Best(1), queued), ElementsAre("warm")) << "needs nothing at all";
  EXPECT_THAT(Chosen(nodes, Best(3), queued), ElementsAre("warm", "fast", "idle"));
  EXPECT_THAT(Chosen(nodes, Best(9), queued), ElementsAre("warm", "fast", "idle", "busy"));
}

TEST(Place, MeasuresNodesWithinTheLimitsInForce) {
  auto fast = ANode("fast");
  fast.measured_store_rate = 4_GiB;
  const std::map<std::string, std::uint64_t> queued{{"fast", 1_GiB}};
  EXPECT_THAT(Chosen({ANode("idle"), fast}, Best(1), queued), ElementsAre("fast"));
  EXPECT_THAT(Chosen({ANode("idle"), fast}, Best(1), queued, {.node_download = 1_GiB}),
              ElementsAre("idle"));
}

TEST(Place, TakesTheMostRoomThenTheNameAmongEquals) {
  EXPECT_THAT(Chosen({ANode("c"), ANode("b"), ANode("roomy", 150_GiB)}, Best(2)),
              ElementsAre("roomy", "b"));
}

TEST(Place, TakesANodeThatWasNeverMeasuredForTheSlowestKnownOne) {
  auto fresh = ANode("fresh");
  fresh.measured_store_rate = 0;
  auto slow = ANode("slow");
  slow.measured_store_rate = 1_MiB;
  EXPECT_THAT(Chosen({slow, fresh, ANode("z")}, Best(2), {{"slow", 1_GiB}}),
              ElementsAre("z", "fresh"));
  slow.measured_store_rate = 0;
  EXPECT_THAT(Chosen({slow, fresh}, Best(1), {{"slow", 1_GiB}}), ElementsAre("fresh"));
}

}  // namespace
}  // namespace prewarm::controller
