// What must hold of signals and targets in any cluster.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "tests/unit/controller/demand/random_cluster.h"

namespace prewarm::controller::demand {
namespace {

constexpr int kCases = 10'000;

template <class Check>
void ForAnyCluster(Check check) {
  for (std::uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    check(random);
    if (testing::Test::HasFailure()) break;
  }
}

std::set<std::string> BoundNodes(const Demand& demand) {
  std::set<std::string> nodes;
  for (const auto* pod : demand.bound) nodes.insert(pod->node);
  return nodes;
}

// The pods of versions before count as going; that is what ChooseTargets promises.
NodeState WithoutOldPods(NodeState state, const Cluster& cluster) {
  for (const auto& pod : cluster.pods) {
    const bool current =
        std::ranges::find(cluster.demand.bound, &pod) != cluster.demand.bound.end();
    const bool ours = pod.owner_uid == "uid-chat-new" || pod.owner_uid == "uid-chat-old";
    const bool known = pod.owner_uid != "uid-chat-old" || !cluster.old_sets.empty();
    if (pod.node != state.node->name || current || !ours || !known) continue;
    if (pod.deleting || pod.Ended()) continue;
    state.freeing.Add(pod.requests);
    ++state.freeing.pods;
  }
  return state;
}

TEST(AnyCluster, NoTargetIsANodeThatCannotTakeThePod) {
  std::size_t chosen = 0;
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    const auto plan = cluster.Choose();
    const ClusterIndex index(cluster.TheWorld());
    const auto bound = BoundNodes(cluster.demand);
    for (const auto& target : plan.targets) {
      const auto* state = index.FindNode(target.node);
      if (!target.revision.empty() || bound.contains(target.node)) {
        EXPECT_TRUE(state == nullptr || state->phase.kind != NodePhase::Kind::kGoing);
        continue;
      }
      ++chosen;
      if (state == nullptr) {
        EXPECT_EQ(target.signal, SignalKind::kNodeClaimed);
        continue;
      }
      EXPECT_EQ(CannotTake(WithoutOldPods(*state, cluster), cluster.constraints), std::nullopt)
          << target.node;
      for (const auto& [key, value] : cluster.policy.node_selector) {
        EXPECT_TRUE(state->node->labels.Has(key, value));
      }
      const auto at = cluster.caches.find(target.node);
      const auto& cache = at == cluster.caches.end() ? cluster.usual_cache : at->second;
      if (cache.agent == CacheFacts::Agent::kNone) {
        EXPECT_TRUE(state->phase.fresh);
      } else {
        EXPECT_GE(cache.room_bytes + cache.present_bytes, cluster.bytes);
      }
    }
  });
  EXPECT_GT(chosen, std::size_t{kCases} / 2) << "or the test proves nothing";
}

TEST(AnyCluster, CountsAreBoundedAndNothingIsSaidTwice) {
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    const auto plan = cluster.Choose();
    const auto bound = BoundNodes(cluster.demand);
    std::set<std::pair<std::string, std::string>> seen;
    std::size_t current = 0;
    for (const auto& target : plan.targets) {
      EXPECT_TRUE(seen.insert({target.node, target.revision}).second) << target.node << " twice";
      EXPECT_GE(target.priority, cluster.policy.priority);
      EXPECT_LE(target.priority, 1000);
      EXPECT_FALSE(target.why.empty());
      if (target.revision.empty()) ++current;
    }
    const auto replicas = static_cast<std::size_t>(cluster.demand.max_replicas);
    EXPECT_LE(current, std::max(bound.size(), replicas));
    if (cluster.policy.max_nodes > 0) {
      EXPECT_LE(current,
                std::max(bound.size(), static_cast<std::size_t>(cluster.policy.max_nodes)));
    }
    EXPECT_LE(cluster.demand.replicas, cluster.demand.max_replicas);
    EXPECT_TRUE(std::ranges::is_sorted(plan.targets, std::greater<>{}, &Target::priority));
    std::uint32_t rejected = 0;
    for (const auto& group : plan.rejected) {
      EXPECT_FALSE(group.reason.empty());
      EXPECT_LE(group.nodes.size(), kShownNodes);
      EXPECT_GE(group.count, group.nodes.size());
      rejected += group.count;
    }
    EXPECT_LE(rejected, cluster.nodes.size() + cluster.claims.size());
    const bool met = static_cast<std::int32_t>(current) >= plan.wanted_nodes;
    if (plan.unmet.empty() && rejected == 0) EXPECT_TRUE(met);
  });
}

TEST(AnyCluster, TheOrderInWhichItIsToldChangesNothing) {
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    auto other = cluster;
    random.Shuffle(other.nodes);
    random.Shuffle(other.pods);
    random.Shuffle(other.claims);
    random.Shuffle(other.scale_ups);
    random.Shuffle(other.old_sets);
    EXPECT_EQ(cluster.Choose(), other.Choose());
    EXPECT_EQ(cluster.memory, other.memory);
    EXPECT_EQ(cluster.demand.signals, other.demand.signals);
    EXPECT_EQ(cluster.demand.old_revisions, other.demand.old_revisions);
  });
}

TEST(AnyCluster, WithoutAChangeOfTheWorldNoTargetChanges) {
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    const auto names = {"n1", "n3", "n5", "n7"};
    for (const auto* name : names) {
      if (random.Chance(50)) cluster.previous.insert(name);
    }
    const auto first = cluster.Choose();
    EXPECT_EQ(cluster.Choose(), first);
    // While nothing becomes old, time alone changes nothing either.
    EXPECT_EQ(NodesOf(cluster.Choose(At(5))), NodesOf(first));
  });
}

TEST(AnyCluster, ATargetStaysOneWhileItCanAndIsWanted) {
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    const auto first = cluster.Choose();
    // Others become better; what was chosen stays as it was.
    for (auto& node : cluster.nodes) {
      if (TargetOn(first, node.name) != nullptr) continue;
      cluster.caches[node.name] = {CacheFacts::Agent::kConnected, cluster.bytes, 1'000'000'000,
                                   DiskClass::kLocalNvme};
    }
    const auto second = cluster.Choose();
    for (const auto& target : first.targets) {
      EXPECT_NE(TargetOn(second, target.node, target.revision), nullptr) << target.node;
    }
  });
}

// How many nodes have the models of the newest version, as far as they are wanted.
std::int32_t Met(const TargetPlan& plan) {
  const auto current = std::ranges::count(plan.targets, std::string(), &Target::revision);
  return std::min(static_cast<std::int32_t>(current), plan.wanted_nodes);
}

TEST(AnyCluster, OneNodeMoreNeverMeansThatLessIsMet) {
  int better = 0;
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    // A new domain without replicas makes required spreading stricter; that is Kubernetes' rule.
    std::erase_if(cluster.constraints.spread, [](const auto& it) { return it.required; });
    auto more = cluster;
    more.Add(AnyNode(random, "n99"));
    const auto before = Met(cluster.Choose());
    const auto after = Met(more.Choose());
    EXPECT_GE(after, before);
    if (after > before) ++better;
  });
  EXPECT_GT(better, kCases / 100) << "or the test proves nothing";
}

TEST(AnyCluster, RequiredSpreadIsKept) {
  int unmet = 0;
  ForAnyCluster([&](Random& random) {
    auto cluster = AnyCluster(random);
    cluster.constraints.spread = {{"zone", random.Between(1, 2), 1, true, {}}};
    const auto plan = cluster.Choose();
    const auto bound = BoundNodes(cluster.demand);
    const ClusterIndex index(cluster.TheWorld());
    std::map<std::string, int> replicas;
    for (const auto& state : index.nodes()) {
      const auto zone = state.node->labels.Find("zone");
      if (zone && MatchesSelectors(*state.node, cluster.constraints)) replicas[std::string(*zone)];
    }
    for (const auto* pod : index.Of("ml", "chat").pods) {
      const auto* state = pod->deleting ? nullptr : index.FindNode(pod->node);
      const auto zone = state == nullptr ? std::nullopt : state->node->labels.Find("zone");
      if (zone && replicas.contains(std::string(*zone))) ++replicas[std::string(*zone)];
    }
    std::set<std::string> grown;
    for (const auto& target : plan.targets) {
      const auto* state = index.FindNode(target.node);
      if (bound.contains(target.node) || !target.revision.empty()) continue;
      // All claims are for zone a.
      const auto zone = std::string(
          state == nullptr ? "a" : state->node->labels.Find("zone").value_or("nowhere"));
      if (!replicas.contains(zone)) continue;  // of a claim, and not there yet
      ++replicas[zone];
      grown.insert(zone);
    }
    int least = std::numeric_limits<int>::max();
    for (const auto& [zone, count] : replicas) least = std::min(least, count);
    for (const auto& zone : grown) {
      EXPECT_LE(replicas[zone] - least, cluster.constraints.spread[0].max_skew) << zone;
    }
    if (!plan.unmet.empty()) ++unmet;
  });
  EXPECT_GT(unmet, 0);
}

}  // namespace
}  // namespace prewarm::controller::demand
