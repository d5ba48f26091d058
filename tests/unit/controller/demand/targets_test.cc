// Which nodes hold a workload's models.
#include "controller/demand/targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(Targets, GoToTheNodesThatADeploymentSelectsWhenItsReplicasGrow) {
  Cluster cluster;
  cluster.Add(ANode("fit"));
  cluster.Add(ANode("other")).labels = {{"pool", "t4"}};
  auto& hpa = cluster.WithHpa(1, 4, 1);
  cluster.policy.keep_nodes = 0;
  const auto first = cluster.Choose();
  EXPECT_THAT(NodesOf(first), ElementsAre("fit"));
  EXPECT_EQ(first.wanted_nodes, 1);
  EXPECT_THAT(first.unmet, IsEmpty());

  hpa.desired_replicas = cluster.deployment.replicas = 2;
  const auto second = cluster.Choose(At(15));
  EXPECT_THAT(NodesOf(second), ElementsAre("fit"));
  EXPECT_EQ(second.wanted_nodes, 2);
  EXPECT_EQ(second.unmet, "2 nodes wanted, 1 can take it (1: does not have the label pool=l4)");
  EXPECT_EQ(second.targets[0].signal, SignalKind::kHpaDesired);
  EXPECT_EQ(second.targets[0].why, "the autoscaler wants 2 replicas, 0 have a node");
  ASSERT_EQ(second.rejected.size(), 1U);
  EXPECT_EQ(second.rejected[0], (Rejected{"does not have the label pool=l4", 1, {"other"}}));
}

TEST(Targets, AreNodesWithFreeGpusFirst) {
  Cluster cluster;
  for (const auto* name : {"busy", "free1", "free4"}) cluster.Add(ANode(name));
  cluster.nodes[0].allocatable.extended[0].second = 8;
  cluster.nodes[2].allocatable.extended[0].second = 4;
  for (int i = 0; i < 6; ++i) {
    cluster.AddPod("foreign-" + std::to_string(i), "busy", "somebody else");
  }
  cluster.WithHpa(1, 8, 1);
  EXPECT_THAT(NodesOf(cluster.Choose()), ElementsAre("free4"));
  cluster.WithHpa(1, 8, 2);
  cluster.previous.clear();
  EXPECT_THAT(NodesOf(cluster.Choose()), UnorderedElementsAre("free4", "busy"));
}

// The names that agent/tasks/node_survey.cc gives.
TEST(Targets, KnowDisksByTheNamesThatAgentsGive) {
  EXPECT_EQ(DiskClassNamed("nvme"), DiskClass::kLocalNvme);
  EXPECT_EQ(DiskClassNamed("ssd"), DiskClass::kLocal);
  EXPECT_EQ(DiskClassNamed("hdd"), DiskClass::kLocal);
  EXPECT_EQ(DiskClassNamed("network"), DiskClass::kNetwork);
  EXPECT_EQ(DiskClassNamed("memory"), DiskClass::kMemory);
  EXPECT_EQ(DiskClassNamed("boot"), DiskClass::kBoot);
  EXPECT_EQ(DiskClassNamed("unknown"), DiskClass::kUnknown);
  EXPECT_EQ(DiskClassNamed(""), DiskClass::kUnknown);
}

TEST(Targets, ComeByBytesThenDiskThenRoomThenSpotThenName) {
  Cluster cluster;
  for (const auto* name : {"a-spot", "b", "c-tight", "d-network", "e-has-half", "f-has-all"}) {
    cluster.Add(ANode(name));
    cluster.caches[name] = cluster.usual_cache;
  }
  cluster.nodes[0].labels = {{"pool", "l4"}, {"cloud.google.com/gke-spot", "true"}};
  cluster.caches["c-tight"].room_bytes = cluster.bytes;
  cluster.caches["d-network"].disk = DiskClass::kNetwork;
  cluster.caches["e-has-half"].present_bytes = cluster.bytes / 2;
  cluster.caches["f-has-all"].present_bytes = cluster.bytes;
  const std::vector<std::string> best{"f-has-all", "e-has-half", "b",
                                      "a-spot",    "c-tight",    "d-network"};
  for (int count = 1; count <= 6; ++count) {
    cluster.WithHpa(1, 8, count);
    cluster.previous.clear();
    EXPECT_THAT(NodesOf(cluster.Choose()),
                testing::UnorderedElementsAreArray(best.begin(), best.begin() + count));
  }
}

TEST(Targets, PreferWhatTheSchedulerPrefers) {
  Cluster cluster;
  cluster.AddNodes(2);
  cluster.Add(ANode("n3")).labels = {{"pool", "l4"}, {"disk", "fast"}};
  cluster.constraints.preferred = {{50, {{{"disk", Requirement::Operator::kIn, {"fast"}}}, {}}}};
  EXPECT_THAT(NodesOf(cluster.Choose()), ElementsAre("n3"));
  cluster.nodes[2].taints = {ATaint("slow-network", Taint::Effect::kPreferNoSchedule)};
  cluster.previous.clear();
  EXPECT_THAT(NodesOf(cluster.Choose()), ElementsAre("n1"));
}

TEST(Targets, AreAlwaysTheNodesWithBoundPods) {
  Cluster cluster;
  cluster.AddNodes(3);
  cluster.WithHpa(1, 8, 2);
  cluster.AddPod("chat-1", "n2");
  cluster.AddPod("chat-2", "n3").started_at = At(-1);
  cluster.nodes[1].taints = {ATaint("maintenance")};  // came after the pod
  cluster.nodes[2].unschedulable = true;
  const auto plan = cluster.Choose();
  EXPECT_THAT(NodesOf(plan), ElementsAre("n2", "n3")) << "the one that can still be in time first";
  EXPECT_EQ(plan.targets[0].signal, SignalKind::kPodBound);
  EXPECT_EQ(plan.targets[0].why, "pod chat-1 is bound to it");
  EXPECT_EQ(plan.targets[1].signal, SignalKind::kPodStarted);
  EXPECT_EQ(plan.targets[1].why, "pod chat-2 runs on it");
  EXPECT_EQ(plan.wanted_nodes, 2);
}

TEST(Targets, AreNotNodesOnTheirWayOutEvenWithPods) {
  Cluster cluster;
  cluster.AddNodes(1);
  cluster.AddPod("chat-1", "n1");
  cluster.nodes[0].taints = {ATaint("ToBeDeletedByClusterAutoscaler")};
  const auto plan = cluster.Choose();
  EXPECT_THAT(plan.targets, IsEmpty());
  ASSERT_EQ(plan.rejected.size(), 1U);
  EXPECT_EQ(plan.rejected[0].reason, "is marked for deletion (ToBeDeletedByClusterAutoscaler)");
}

TEST(Targets, HaveOneSetOfModelsForAllReplicasOfANode) {
  Cluster cluster;
  cluster.AddNodes(3);
  cluster.nodes[0].allocatable.extended[0].second = 8;
  cluster.WithHpa(1, 8, 4);
  for (int i = 0; i < 3; ++i) cluster.AddPod("chat-" + std::to_string(i), "n1");
  const auto plan = cluster.Choose();
  EXPECT_EQ(plan.wanted_nodes, 2) << "one with three replicas, one for the fourth";
  EXPECT_EQ(plan.targets.size(), 2U);
}

TEST(Targets, AreNeverMoreThanReplicasNorThePolicysMost) {
  Cluster cluster;
  cluster.AddNodes(9);
  for (int i = 0; i < 5; ++i) cluster.Add(AComingNode("coming-" + std::to_string(i)));
  auto& hpa = cluster.WithHpa(1, 4, 3);
  hpa.metrics = {{"cpu", 300, 80}};
  cluster.policy.keep_nodes = 50;
  EXPECT_EQ(cluster.Choose().targets.size(), 4U);
  cluster.policy.max_nodes = 2;
  cluster.previous.clear();
  const auto plan = cluster.Choose();
  EXPECT_EQ(plan.targets.size(), 2U);
  EXPECT_EQ(plan.wanted_nodes, 2);
  EXPECT_THAT(plan.unmet, IsEmpty());
}

TEST(Targets, AreAllComingNodesOfAMatchingPool) {
  Cluster cluster;
  cluster.AddNodes(1);
  cluster.AddPod("chat-1", "n1");
  cluster.Add(AComingNode("c1"));
  cluster.Add(AComingNode("c2"));
  cluster.Add(AComingNode("other-pool")).labels = {{"pool", "t4"}};
  cluster.WithHpa(1, 8, 2);
  cluster.AddPod("chat-2", "");
  auto plan = cluster.Choose();
  EXPECT_THAT(NodesOf(plan), UnorderedElementsAre("n1", "c1", "c2"));
  const auto* waited_for = TargetOn(plan, "c1");
  EXPECT_EQ(waited_for->signal, SignalKind::kNodeJoined);
  EXPECT_EQ(waited_for->priority, PriorityOf(SignalKind::kNodeJoined, 100));
  EXPECT_EQ(waited_for->why, "it joins the cluster; 1 pod has no node yet");
  EXPECT_LT(TargetOn(plan, "c2")->priority, waited_for->priority) << "nobody waits for it";

  cluster.policy.triggers.on_node_join = false;
  cluster.previous.clear();
  plan = cluster.Choose();
  EXPECT_THAT(NodesOf(plan), UnorderedElementsAre("n1", "c1")) << "one is wanted anyway";
  EXPECT_EQ(TargetOn(plan, "c1")->signal, SignalKind::kPodPending);
}

TEST(Targets, StayOnANodeThatJoinedUntilItsPodCanBeThere) {
  Cluster cluster;
  cluster.Add(AComingNode("c1"));
  cluster.AddNodes(1);
  cluster.AddPod("chat-1", "n1");
  cluster.WithHpa(1, 8, 1);
  EXPECT_THAT(NodesOf(cluster.Choose()), UnorderedElementsAre("n1", "c1"));
  auto& node = cluster.nodes[0];
  node = ANode("c1");
  node.created_at = At(-10);
  EXPECT_THAT(NodesOf(cluster.Choose(At(120))), UnorderedElementsAre("n1", "c1"));
  EXPECT_THAT(NodesOf(cluster.Choose(At(1200))), UnorderedElementsAre("n1"))
      << "no longer new, and nobody came";
}

TEST(Targets, AreNodesThatAClaimNamesBeforeTheyExist) {
  Cluster cluster;
  cluster.WithHpa(1, 8, 3);
  auto& named = cluster.claims.emplace_back();
  named.name = "claim-1";
  named.pool = "gpu";
  named.labels = {{"pool", "l4"}};
  named.node = "ip-10-0-0-1";
  named.created_at = At(-5);
  named.startup_taints = {ATaint("cilium.io/agent-not-ready")};
  named.taints = named.startup_taints;
  auto unnamed = named;
  unnamed.name = "claim-2";
  unnamed.node.clear();
  cluster.claims.push_back(unnamed);
  auto wrong_pool = unnamed;
  wrong_pool.name = "claim-3";
  wrong_pool.labels = {{"pool", "t4"}};
  cluster.claims.push_back(wrong_pool);

  auto plan = cluster.Choose();
  ASSERT_THAT(NodesOf(plan), ElementsAre("ip-10-0-0-1"));
  EXPECT_EQ(plan.targets[0].signal, SignalKind::kNodeClaimed);
  EXPECT_THAT(plan.expected, ElementsAre(Expected{"claim-2", "gpu"}));
  EXPECT_THAT(plan.unmet, HasSubstr("1: promised and not there yet"));

  auto node = AComingNode("ip-10-0-0-1");
  node.taints = {ATaint("karpenter.sh/unregistered", Taint::Effect::kNoExecute),
                 ATaint("cilium.io/agent-not-ready")};
  cluster.Add(node);
  plan = cluster.Choose(At(30));
  ASSERT_THAT(NodesOf(plan), ElementsAre("ip-10-0-0-1")) << "once, and still";
  EXPECT_EQ(plan.targets[0].signal, SignalKind::kNodeJoined);
}

TEST(Targets, StayWhileTheyCan) {
  Cluster cluster;
  cluster.AddNodes(3);
  EXPECT_THAT(NodesOf(cluster.Choose()), ElementsAre("n1"));
  cluster.caches["n3"] = cluster.usual_cache;
  cluster.caches["n3"].present_bytes = cluster.bytes;
  EXPECT_THAT(NodesOf(cluster.Choose(At(1))), ElementsAre("n1")) << "n3 is better now";
  cluster.nodes[0].unschedulable = true;
  EXPECT_THAT(NodesOf(cluster.Choose(At(2))), ElementsAre("n3"));
  cluster.nodes[0].unschedulable = false;
  EXPECT_THAT(NodesOf(cluster.Choose(At(3))), ElementsAre("n3"));
}

TEST(Targets, LieOverZonesAsThePodsMust) {
  Cluster cluster;
  for (const auto* name : {"a1", "a2", "a3", "b1"}) {
    cluster.Add(ANode(name)).labels = {{"pool", "l4"}, {"zone", std::string(name).substr(0, 1)}};
  }
  cluster.constraints.spread = {{"zone", 1, 1, true, {}}};
  cluster.WithHpa(1, 4, 4);
  const auto plan = cluster.Choose();
  EXPECT_THAT(NodesOf(plan), UnorderedElementsAre("a1", "b1", "a2"));
  EXPECT_EQ(plan.unmet, "4 nodes wanted, 3 can take it (1: pods may not be spread that unevenly)");

  cluster.Add(ANode("nowhere"));
  const auto with_stranger = cluster.Choose();
  EXPECT_EQ(with_stranger.targets.size(), 3U);
  EXPECT_EQ(with_stranger.rejected[0].reason,
            "does not have the label zone that pods are spread by");

  cluster.constraints.spread[0].required = false;
  EXPECT_EQ(cluster.Choose().targets.size(), 4U);
}

TEST(Targets, PreferAZoneWithFewerReplicas) {
  Cluster cluster;
  for (const auto* name : {"a1", "a2", "b1"}) {
    cluster.Add(ANode(name)).labels = {{"pool", "l4"}, {"zone", std::string(name).substr(0, 1)}};
  }
  cluster.constraints.spread = {{"zone", 1, 1, false, {}}};
  cluster.WithHpa(1, 4, 2);
  cluster.AddPod("chat-1", "a1");
  EXPECT_THAT(NodesOf(cluster.Choose()), UnorderedElementsAre("a1", "b1"));
}

TEST(Targets, AreWhereTheVersionBeforeMakesWay) {
  Cluster cluster;
  cluster.AddNodes(2);
  cluster.WithHpa(1, 4, 2);
  cluster.old_sets.push_back(Cluster::ASet("chat-old", 1));
  cluster.AddPod("old-1", "n1", "uid-chat-old").started_at = At(-9000);
  cluster.AddPod("old-2", "n2", "uid-chat-old").started_at = At(-9000);
  const auto plan = cluster.Choose();
  for (const auto* node : {"n1", "n2"}) {
    ASSERT_NE(TargetOn(plan, node), nullptr) << "the new version takes its place";
    ASSERT_NE(TargetOn(plan, node, "old"), nullptr) << "the old one still runs";
    EXPECT_EQ(TargetOn(plan, node, "old")->signal, SignalKind::kRollingUpdate);
  }
  cluster.old_sets[0].replicas = cluster.old_sets[0].current_replicas = 0;
  cluster.pods.clear();
  const auto after = cluster.Choose();
  EXPECT_EQ(after.targets.size(), 2U);
  EXPECT_EQ(TargetOn(after, "n1", "old"), nullptr);
}

TEST(Targets, AreRefusedForWantOfAgentOrRoom) {
  Cluster cluster;
  cluster.AddNodes(2);
  cluster.Add(AComingNode("n3"));
  cluster.caches["n1"] = {};
  cluster.caches["n2"] = {CacheFacts::Agent::kConnected, 400'000, 500'000, DiskClass::kLocalNvme};
  cluster.caches["n3"] = {};
  cluster.WithHpa(1, 4, 3);
  const auto plan = cluster.Choose();
  EXPECT_THAT(NodesOf(plan), ElementsAre("n3")) << "its agent comes with it";
  EXPECT_THAT(plan.rejected,
              ElementsAre(Rejected{"has no agent", 1, {"n1"}},
                          Rejected{"needs 586 KiB of cache, has room for 488 KiB", 1, {"n2"}}));
}

TEST(Targets, ObeyThePolicysOwnSelector) {
  Cluster cluster;
  cluster.AddNodes(2);
  cluster.Add(ANode("n3")).labels = {{"pool", "l4"}, {"nvme", "true"}};
  cluster.policy.node_selector = {{"nvme", "true"}};
  const auto plan = cluster.Choose();
  EXPECT_THAT(NodesOf(plan), ElementsAre("n3"));
  EXPECT_EQ(plan.rejected[0], (Rejected{"is not one that the policy chooses", 2, {"n1", "n2"}}));
}

TEST(Targets, AreNoneWhileTheModelsAreNotWholeOrThePolicyIsSuspended) {
  Cluster cluster;
  cluster.AddNodes(2);
  cluster.AddPod("chat-1", "n1");
  cluster.models.seeded_at.reset();
  EXPECT_THAT(cluster.Choose().targets, IsEmpty());
  cluster.models.seeded_at = At(0);
  EXPECT_THAT(NodesOf(cluster.Choose()), ElementsAre("n1"));
  cluster.policy.suspend = true;
  EXPECT_THAT(cluster.Choose().targets, IsEmpty());
}

TEST(Targets, KeepTheirNodesForAWhileAfterScalingToZero) {
  Cluster cluster;
  cluster.AddNodes(4);
  cluster.WithHpa(1, 4, 3);
  const auto busy = NodesOf(cluster.Choose());
  ASSERT_EQ(busy.size(), 3U);
  cluster.hpas.clear();
  cluster.models.min_replicas = 0;
  cluster.models.max_replicas = 4;
  cluster.deployment.replicas = 0;
  cluster.set.replicas = cluster.set.current_replicas = 0;
  auto plan = cluster.Choose(At(60));
  EXPECT_EQ(NodesOf(plan), busy);
  EXPECT_EQ(plan.targets[0].signal, SignalKind::kKeepWarm);
  EXPECT_EQ(plan.targets[0].why, "up to 3 replicas ran lately");
  plan = cluster.Choose(At(60) + minutes(31));
  ASSERT_EQ(plan.targets.size(), 1U) << "one stays by policy";
  EXPECT_EQ(plan.targets[0].why, "the policy keeps 1 node warm");
  EXPECT_THAT(busy, testing::Contains(plan.targets[0].node));
}

TEST(Targets, ShowOnlyAFewOfManyRejectedNodes) {
  Cluster cluster;
  for (int i = 100; i < 200; ++i) {
    auto& node = cluster.Add(ANode("n" + std::to_string(i)));
    node.allocatable.extended[0].second = 0;
  }
  const auto plan = cluster.Choose();
  ASSERT_EQ(plan.rejected.size(), 1U);
  EXPECT_EQ(plan.rejected[0].count, 100U);
  EXPECT_THAT(plan.rejected[0].nodes, ElementsAre("n100", "n101", "n102", "n103", "n104"));
  EXPECT_EQ(plan.unmet, "1 node wanted, 0 can take it (100: needs 1 nvidia.com/gpu, 0 free)");
}

}  // namespace
}  // namespace prewarm::controller::demand
