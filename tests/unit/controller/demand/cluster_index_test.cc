// Who belongs to whom.
#include "controller/demand/cluster_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using testing::SizeIs;

TEST(ClusterIndex, CountsWhatPodsHoldOfTheirNodes) {
  Cluster cluster;
  cluster.AddNodes(2);
  cluster.AddPod("runs", "n1");
  cluster.AddPod("goes", "n1").deleting = true;
  cluster.AddPod("ended", "n1").phase = PodPhase::kSucceeded;
  cluster.AddPod("waits", "");
  cluster.AddPod("elsewhere", "unknown");
  const ClusterIndex index(cluster.TheWorld());
  ASSERT_THAT(index.nodes(), SizeIs(2));
  const auto* n1 = index.FindNode("n1");
  ASSERT_NE(n1, nullptr);
  EXPECT_EQ(n1->used.Extended(kGpuResource), 2);
  EXPECT_EQ(n1->used.pods, 2);
  EXPECT_EQ(n1->freeing.Extended(kGpuResource), 1);
  EXPECT_EQ(index.FindNode("n2")->used, Resources{});
  EXPECT_EQ(index.FindNode("n"), nullptr);
  EXPECT_EQ(index.FindNode("unknown"), nullptr);
}

TEST(ClusterIndex, FindsADeploymentsObjectsByTheirOwners) {
  Cluster cluster;
  cluster.WithHpa(1, 2, 1);
  auto foreign = Cluster::ASet("other-x", 1);
  foreign.owner_uid = "uid-other";
  cluster.old_sets = {Cluster::ASet("chat-old", 1), foreign};
  cluster.AddPod("b", "n1");
  cluster.AddPod("a", "", "uid-chat-old");
  cluster.AddPod("stranger", "n1", "uid-other-x");
  cluster.AddPod("orphan", "n1", "");
  cluster.AddPod("ended", "n1").phase = PodPhase::kFailed;
  auto second = cluster.hpas[0];
  second.name = "a-chat";
  cluster.hpas.push_back(second);
  second.target_kind = "StatefulSet";
  second.name = "a";
  cluster.hpas.push_back(second);
  const ClusterIndex index(cluster.TheWorld());
  const auto& chat = index.Of("ml", "chat");
  EXPECT_EQ(chat.deployment, &cluster.deployment);
  ASSERT_NE(chat.hpa, nullptr);
  EXPECT_EQ(chat.hpa->name, "a-chat");
  EXPECT_THAT(chat.replica_sets, SizeIs(2));
  ASSERT_THAT(chat.pods, SizeIs(2));
  EXPECT_EQ(chat.pods[0]->name, "a");
  EXPECT_EQ(chat.pods[1]->name, "b");
  EXPECT_EQ(index.Of("ml", "other").deployment, nullptr);
  EXPECT_EQ(index.Of("other", "chat").hpa, nullptr);
}

TEST(ClusterIndex, TellsADeploymentFromOneOfTheSameNameBefore) {
  Cluster cluster;
  cluster.AddPod("old", "n1");
  cluster.deployment.uid = "uid-chat-again";
  const ClusterIndex index(cluster.TheWorld());
  EXPECT_THAT(index.Of("ml", "chat").pods, SizeIs(0)) << "its owner is gone";
}

TEST(ClusterIndex, TakesAClaimForANodeOnlyUntilTheNodeIsThere) {
  Cluster cluster;
  auto& claim = cluster.claims.emplace_back();
  claim.name = "c";
  claim.node = "n1";
  claim.startup_taints = {ATaint("cilium.io/agent-not-ready")};
  claim.created_at = At(-10);
  {
    const ClusterIndex index(cluster.TheWorld());
    ASSERT_THAT(index.claims(), SizeIs(1));
    EXPECT_EQ(index.claims()[0].state.phase.kind, NodePhase::Kind::kComing);
  }
  auto& node = cluster.Add(ANode("n1"));
  node.taints = claim.startup_taints;
  {
    const ClusterIndex index(cluster.TheWorld());
    EXPECT_THAT(index.claims(), SizeIs(0));
    EXPECT_EQ(index.FindNode("n1")->phase.kind, NodePhase::Kind::kComing);
  }
  claim.initialized = true;
  const ClusterIndex index(cluster.TheWorld());
  EXPECT_EQ(index.FindNode("n1")->phase.kind, NodePhase::Kind::kReady)
      << "somebody put the taint back on purpose";
}

}  // namespace
}  // namespace prewarm::controller::demand
