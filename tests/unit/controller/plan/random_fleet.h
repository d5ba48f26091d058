// Random clusters and queues for what must hold of planning in any of them. A failure names the
// seed of its case.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "controller/plan/forecast.h"
#include "controller/plan/placement.h"

namespace prewarm::controller {

inline constexpr const char* kVolume = "the volume";
inline constexpr int kCases = 10'000;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t Below(std::uint64_t bound) { return engine_() % bound; }
  std::uint64_t Between(std::uint64_t low, std::uint64_t high) {
    return low + Below(high - low + 1);
  }
  bool Chance(int percent) { return Below(100) < static_cast<std::uint64_t>(percent); }
  template <class T>
  void Shuffle(std::vector<T>& items) {
    std::shuffle(items.begin(), items.end(), engine_);
  }

 private:
  std::mt19937_64 engine_;
};

// Few distinct values, so that equals are common.
inline Rank ARank(Random& random) {
  Rank rank{static_cast<int>(random.Below(4)), std::nullopt, random.Between(1, 5)};
  if (random.Chance(60)) rank.deadline = WallTime(std::chrono::seconds(random.Below(4)));
  return rank;
}

inline Node ANode(Random& random, const std::string& name) {
  Node node;
  node.name = name;
  node.connected = random.Chance(90);
  node.draining = random.Chance(10);
  node.labels["zone"] = std::to_string(random.Below(3));
  if (random.Chance(95)) {
    const auto capacity = random.Between(1, 1000);
    node.directories.push_back({"/d", capacity, random.Below(capacity + 1), "nvme"});
  }
  if (random.Chance(50)) node.volumes.push_back({kVolume, random.Below(400), false, ""});
  node.measured_store_rate = random.Chance(90) ? random.Between(1, 200) : 0;
  node.measured_disk_rate = random.Chance(50) ? random.Between(50, 300) : 0;
  return node;
}

inline std::vector<Node> ACluster(Random& random, std::size_t most = 8) {
  std::vector<Node> nodes;
  const auto count = random.Between(1, most);
  nodes.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    nodes.push_back(ANode(random, "node-" + std::to_string(i)));
  }
  return nodes;
}

inline FleetLimits SomeLimits(Random& random) {
  FleetLimits limits;
  if (random.Chance(60)) limits.origin = random.Between(1, 600);
  if (random.Chance(30)) limits.node_download = random.Between(1, 150);
  if (random.Chance(30)) limits.node_disk_write = random.Between(1, 150);
  return limits;
}

// Prewarms with tasks on some of the nodes; every prewarm has one rank.
inline std::vector<QueuedTask> AQueue(Random& random, const std::vector<Node>& nodes) {
  std::vector<QueuedTask> tasks;
  const auto prewarms = random.Between(1, 5);
  for (std::uint64_t i = 0; i < prewarms; ++i) {
    auto rank = ARank(random);
    rank.age = i + 1;
    for (const auto& node : nodes) {
      if (!random.Chance(60)) continue;
      const auto missing = random.Chance(10) ? 0 : random.Between(1, 5000);
      tasks.push_back({"p" + std::to_string(i), node.name, rank, missing});
    }
  }
  random.Shuffle(tasks);
  return tasks;
}

inline NodeSelector ASelector(Random& random) {
  NodeSelector selector;
  if (random.Chance(30)) selector.names = {"node-0", "node-2", "node-7"};
  if (random.Chance(30)) selector.labels["zone"] = "1";
  if (random.Chance(60)) selector.count = static_cast<std::uint32_t>(random.Between(1, 5));
  return selector;
}

inline std::map<std::string, std::uint64_t> QueuedBytes(const std::vector<QueuedTask>& tasks) {
  std::map<std::string, std::uint64_t> queued;
  for (const auto& task : tasks) queued[task.node] += task.missing_bytes;
  return queued;
}

// One base seed per run, PREWARM_SEED or 1; each case has a seed of its own.
template <class Case>
void ForAllCases(Case check) {
  const char* given = std::getenv("PREWARM_SEED");
  const std::uint64_t base = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  std::printf("seed %llu (PREWARM_SEED), %d cases\n", static_cast<unsigned long long>(base),
              kCases);
  for (int i = 0; i < kCases && !testing::Test::HasFailure(); ++i) {
    const auto seed = base * 1'000'000 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("case with seed " + std::to_string(seed));
    Random random(seed);
    check(random);
  }
}

inline bool MoreUrgent(const Rank& a, const Rank& b) {
  return GoesBefore({a.priority, a.deadline, 0}, {b.priority, b.deadline, 0});
}

}  // namespace prewarm::controller
