// What must hold of placements in any fleet.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/plan/placement.h"
#include "tests/unit/controller/plan/random_fleet.h"

namespace prewarm::controller {
namespace {

TEST(AnyFleet, NoNodeIsChosenThatCannotTakeIt) {
  ForAllCases([](Random& random) {
    auto nodes = ACluster(random);
    const auto queued = QueuedBytes(AQueue(random, nodes));
    const auto selector = ASelector(random);
    const auto bytes = random.Between(0, 800);
    const auto limits = SomeLimits(random);
    const auto placement = Place(selector, bytes, kVolume, nodes, queued, limits);

    std::set<std::string> mentioned;
    for (const auto& name : placement.nodes) {
      EXPECT_TRUE(mentioned.insert(name).second) << name << " twice";
      const auto& node = *std::ranges::find(nodes, name, &Node::name);
      EXPECT_TRUE(node.connected && !node.draining && !node.directories.empty());
      const auto cached = node.volumes.empty() ? 0 : node.volumes[0].cached_bytes;
      const auto waiting = queued.contains(name) ? queued.at(name) : 0;
      const auto needed = bytes - std::min(bytes, cached);
      if (needed > 0) EXPECT_LE(needed + waiting, node.AvailableBytes()) << name;
      if (!selector.names.empty()) EXPECT_EQ(std::ranges::count(selector.names, name), 1);
      if (!selector.labels.empty()) EXPECT_EQ(node.labels.at("zone"), "1");
    }
    if (selector.count != 0) EXPECT_LE(placement.nodes.size(), selector.count);
    for (const auto& rejected : placement.rejected) {
      EXPECT_FALSE(rejected.reason.empty());
      EXPECT_TRUE(mentioned.insert(rejected.node).second) << rejected.node << " is both";
    }
    if (selector.count == 0 && selector.labels.empty() && selector.names.empty()) {
      EXPECT_EQ(mentioned.size(), nodes.size()) << "every node is chosen or has a reason";
    }

    random.Shuffle(nodes);
    EXPECT_EQ(Place(selector, bytes, kVolume, nodes, queued, limits).nodes, placement.nodes)
        << "same input, same plan";
  });
}

// When the prewarm "new" would be done, placed in this cluster; nothing if nobody can say.
std::optional<double> FinishOfNew(const std::vector<Node>& nodes, std::vector<QueuedTask> tasks,
                                  const NodeSelector& selector, std::uint64_t bytes,
                                  const FleetLimits& limits) {
  const auto placement = Place(selector, bytes, kVolume, nodes, QueuedBytes(tasks), limits);
  if (placement.nodes.size() < selector.count) return std::nullopt;
  for (const auto& name : placement.nodes) {
    const auto& node = *std::ranges::find(nodes, name, &Node::name);
    const auto cached = node.volumes.empty() ? 0 : node.volumes[0].cached_bytes;
    tasks.push_back({"new", name, {-1, std::nullopt, ~0ULL}, bytes - std::min(bytes, cached)});
  }
  const auto finish = PredictFinish(nodes, tasks, limits);
  double last = 0;
  for (const auto& name : placement.nodes) last = std::max(last, finish.at({"new", name}));
  return last;
}

// A node more must not make it later; answers whether the case could tell.
bool CheckOneNodeMore(std::vector<Node> nodes, const Node& more,
                      const std::vector<QueuedTask>& tasks, const NodeSelector& selector,
                      std::uint64_t bytes, const FleetLimits& limits) {
  const auto before = FinishOfNew(nodes, tasks, selector, bytes, limits);
  nodes.push_back(more);
  const auto after = FinishOfNew(nodes, tasks, selector, bytes, limits);
  if (!before) return false;
  EXPECT_TRUE(after) << "it could be placed before";
  EXPECT_LE(after.value_or(std::numeric_limits<double>::infinity()), *before * (1 + 1e-9));
  return after != before;
}

TEST(AnyFleet, ANodeMoreNeverMakesACountedPrewarmLater) {
  int told = 0;
  ForAllCases([&](Random& random) {
    auto nodes = ACluster(random);
    auto more = ANode(random, random.Chance(50) ? "a-first" : "z-last");
    for (auto* node : {&nodes.front(), &more}) node->connected = true;
    for (auto& node : nodes) node.measured_store_rate += 1;
    more.measured_store_rate += 1;
    const auto tasks = AQueue(random, nodes);
    auto limits = SomeLimits(random);
    limits.origin = 0;
    auto selector = ASelector(random);
    selector.count = static_cast<std::uint32_t>(random.Between(1, 4));
    told += CheckOneNodeMore(nodes, more, tasks, selector, random.Between(1, 300), limits) ? 1 : 0;
  });
  EXPECT_GT(told, kCases / 100) << "the new node hardly ever made a difference";
}

TEST(AnyFleet, ANodeMoreNeverMakesItLaterOnATightBudgetWhereNodesAreAlikeAndIdle) {
  int told = 0;
  ForAllCases([&](Random& random) {
    const auto rate = random.Between(1, 200);
    const auto alike = [&](const std::string& name) {
      auto node = ANode(random, name);
      node.connected = true;
      node.draining = false;
      node.measured_store_rate = rate;
      node.measured_disk_rate = 0;
      node.directories = {{"/d", 1000, 1000, "nvme"}};
      return node;
    };
    std::vector<Node> nodes;
    nodes.reserve(9);
    for (int i = 0; i < 6; ++i) nodes.push_back(alike("node-" + std::to_string(i)));
    // Others work elsewhere, and share the budget.
    std::vector<QueuedTask> tasks;
    for (int i = 0; i < 3; ++i) {
      auto busy = ANode(random, "busy-" + std::to_string(i));
      busy.draining = true;
      for (int task = 0; task < 3; ++task) {
        tasks.push_back({"p" + std::to_string(task),
                         busy.name,
                         {random.Chance(50) ? -1 : 1, std::nullopt, 1},
                         random.Between(0, 900)});
      }
      nodes.push_back(busy);
    }
    FleetLimits limits;
    limits.origin = random.Between(1, 600);
    NodeSelector selector;
    selector.count = static_cast<std::uint32_t>(random.Between(1, 4));
    told += CheckOneNodeMore(nodes, alike("more"), tasks, selector, random.Between(1, 800), limits)
                ? 1
                : 0;
  });
  EXPECT_GT(told, kCases / 100) << "the new node hardly ever made a difference";
}

TEST(AnyFleet, ANodeMoreMakesNoOtherNodesPartLaterWhileTheBudgetIsNotShort) {
  ForAllCases([](Random& random) {
    auto nodes = ACluster(random);
    auto tasks = AQueue(random, nodes);
    auto limits = SomeLimits(random);
    limits.origin = 0;
    const auto before = PredictFinish(nodes, tasks, limits);
    nodes.push_back(ANode(random, "more"));
    for (int i = 0; i < 3; ++i) {
      tasks.push_back({"p" + std::to_string(i), "more", ARank(random), random.Between(0, 5000)});
    }
    const auto after = PredictFinish(nodes, tasks, limits);
    for (const auto& [key, seconds] : before) EXPECT_EQ(after.at(key), seconds);
  });
}

}  // namespace
}  // namespace prewarm::controller
