// What must hold of ranks, budgets and predictions in any fleet.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/plan/forecast.h"
#include "tests/unit/controller/plan/random_fleet.h"

namespace prewarm::controller {
namespace {

TEST(AnyFleet, GoesBeforeIsAStrictWeakOrder) {
  ForAllCases([](Random& random) {
    const std::array<Rank, 3> rank{ARank(random), ARank(random), ARank(random)};
    const auto equal = [](const Rank& a, const Rank& b) {
      return !GoesBefore(a, b) && !GoesBefore(b, a);
    };
    EXPECT_FALSE(GoesBefore(rank[0], rank[0]));
    EXPECT_FALSE(GoesBefore(rank[0], rank[1]) && GoesBefore(rank[1], rank[0]));
    EXPECT_EQ(equal(rank[0], rank[1]), rank[0] == rank[1]);
    if (GoesBefore(rank[0], rank[1]) && GoesBefore(rank[1], rank[2])) {
      EXPECT_TRUE(GoesBefore(rank[0], rank[2]));
    }
    if (equal(rank[0], rank[1]) && equal(rank[1], rank[2])) {
      EXPECT_TRUE(equal(rank[0], rank[2]));
    }
  });
}

std::vector<NodeDemand> Demands(Random& random) {
  std::vector<NodeDemand> demands;
  const auto count = random.Between(1, 8);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto usable = random.Chance(30) ? 0 : random.Between(1, 200);
    demands.push_back({"node-" + std::to_string(i), ARank(random), usable});
  }
  return demands;
}

TEST(AnyFleet, TheBudgetIsKeptAndUsedAndTheUrgentComeFirst) {
  ForAllCases([](Random& random) {
    auto demands = Demands(random);
    const auto budget = random.Between(demands.size(), 1000);
    const auto rates = DivideBudget(demands, budget);
    ASSERT_EQ(rates.size(), demands.size());

    std::uint64_t sum = 0;
    std::uint64_t usable = 0;
    for (const auto& demand : demands) {
      const auto rate = rates.at(demand.node);
      EXPECT_GE(rate, 1U) << "0 would be no limit";
      if (demand.usable_rate != 0) EXPECT_LE(rate, demand.usable_rate);
      sum += rate;
      usable += demand.usable_rate == 0 ? budget : demand.usable_rate;
    }
    EXPECT_EQ(sum, std::min(budget, usable)) << "within the budget, and all of it if it is of use";

    for (const auto& a : demands) {
      for (const auto& b : demands) {
        const bool satisfied = a.usable_rate != 0 && rates.at(a.node) == a.usable_rate;
        if (MoreUrgent(a.best, b.best) && !satisfied) {
          EXPECT_EQ(rates.at(b.node), 1U) << b.node << " got what " << a.node << " could use";
        }
        const bool equals = !MoreUrgent(a.best, b.best) && !MoreUrgent(b.best, a.best);
        if (equals && !satisfied) {
          EXPECT_LE(rates.at(b.node), rates.at(a.node) + 1) << "equals share evenly";
        }
      }
    }

    random.Shuffle(demands);
    EXPECT_EQ(DivideBudget(demands, budget), rates) << "the order of asking does not matter";
  });
}

// The same, step by small step, with nothing shared but the contract: the urgent first, equals
// evenly.
std::map<TaskKey, double> PredictNaively(const std::vector<Node>& nodes,
                                         std::vector<QueuedTask> tasks, const FleetLimits& limits,
                                         double step) {
  struct Work {
    std::vector<QueuedTask> queue;
    double left = 0;
    double rate = 0;
    double share = 0;
  };
  std::map<TaskKey, double> finish;
  std::ranges::sort(tasks, [](const QueuedTask& a, const QueuedTask& b) {
    return a.rank == b.rank ? a.prewarm < b.prewarm : GoesBefore(a.rank, b.rank);
  });
  std::vector<Work> works;
  for (const auto& node : nodes) {
    Work work;
    work.rate = static_cast<double>(ExpectedRate(node, limits));
    if (work.rate == 0) work.rate = static_cast<double>(limits.origin);
    if (!node.connected || work.rate == 0) continue;
    for (const auto& task : tasks) {
      if (task.node == node.name && task.missing_bytes > 0) work.queue.push_back(task);
      if (task.node == node.name && task.missing_bytes == 0) finish[{task.prewarm, task.node}] = 0;
    }
    if (work.queue.empty()) continue;
    work.left = static_cast<double>(work.queue.front().missing_bytes);
    works.push_back(std::move(work));
  }
  for (double now = 0; !works.empty(); now += step) {
    // The budget trickles in small portions to the most urgent that are not full yet.
    for (auto& work : works) work.share = limits.origin == 0 ? work.rate : 0;
    auto budget = static_cast<double>(limits.origin);
    while (budget > 1e-9) {
      std::vector<Work*> hungry;
      for (auto& work : works) {
        if (work.share > work.rate - 1e-9) continue;
        const auto& rank = work.queue.front().rank;
        if (!hungry.empty() && MoreUrgent(rank, hungry[0]->queue.front().rank)) hungry.clear();
        if (hungry.empty() || !MoreUrgent(hungry[0]->queue.front().rank, rank)) {
          hungry.push_back(&work);
        }
      }
      if (hungry.empty()) break;
      double portion = budget / static_cast<double>(hungry.size());
      for (const auto* work : hungry) portion = std::min(portion, work->rate - work->share);
      for (auto* work : hungry) work->share += portion;
      budget -= portion * static_cast<double>(hungry.size());
    }
    for (auto& work : works) {
      work.left -= work.share * step;
      if (work.left > 0) continue;
      finish[{work.queue.front().prewarm, work.queue.front().node}] = now + step;
      work.queue.erase(work.queue.begin());
      // What is left of the step is not carried over: the next may be too unimportant for it.
      if (!work.queue.empty()) work.left = static_cast<double>(work.queue.front().missing_bytes);
    }
    std::erase_if(works, [](const Work& work) { return work.queue.empty(); });
  }
  return finish;
}

TEST(AnyFleet, PredictionsAgreeWithANaiveSimulation) {
  ForAllCases([](Random& random) {
    const auto nodes = ACluster(random, 4);
    const auto tasks = AQueue(random, nodes);
    const auto limits = SomeLimits(random);
    const auto predicted = PredictFinish(nodes, tasks, limits);
    double last = 0;
    for (const auto& [key, seconds] : predicted) last = std::max(last, seconds);
    const double step = std::max(last, 1e-3) / 2000;
    const auto naive = PredictNaively(nodes, tasks, limits, step);
    ASSERT_EQ(predicted.size(), naive.size());
    // A step is lost at every change of rates; there are at most as many as tasks.
    const double tolerance = step * (static_cast<double>(tasks.size()) + 2);
    for (const auto& [key, seconds] : predicted) {
      EXPECT_NEAR(seconds, naive.at(key), tolerance) << key.first << " on " << key.second;
    }
  });
}

TEST(AnyFleet, PredictionsDoNotDependOnTheOrderOfTheInput) {
  ForAllCases([](Random& random) {
    auto nodes = ACluster(random);
    auto tasks = AQueue(random, nodes);
    const auto limits = SomeLimits(random);
    const auto before = PredictFinish(nodes, tasks, limits);
    random.Shuffle(nodes);
    random.Shuffle(tasks);
    EXPECT_EQ(PredictFinish(nodes, tasks, limits), before);
  });
}

TEST(AnyFleet, LessUrgentWorkNeverDelaysMoreUrgentWork) {
  ForAllCases([](Random& random) {
    const auto nodes = ACluster(random);
    auto tasks = AQueue(random, nodes);
    const auto limits = SomeLimits(random);
    const auto before = PredictFinish(nodes, tasks, limits);
    for (const auto& node : nodes) {
      tasks.push_back({"less", node.name, {-1, std::nullopt, 9}, random.Between(0, 5000)});
    }
    const auto after = PredictFinish(nodes, tasks, limits);
    for (const auto& [key, seconds] : before) {
      EXPECT_NEAR(after.at(key), seconds, 1e-6 * (1 + seconds));
    }
  });
}

}  // namespace
}  // namespace prewarm::controller
