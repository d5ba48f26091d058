// What a node's marks say about its future.
#include "controller/demand/node_phase.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using Kind = NodePhase::Kind;

NodePhase Phase(const Node& node, WallTime now = At(0)) { return PhaseOf(node, {}, now); }

TEST(NodePhases, AreReadyForAHealthyNode) {
  const auto phase = Phase(ANode("n"));
  EXPECT_EQ(phase.kind, Kind::kReady);
  EXPECT_FALSE(phase.fresh);
  EXPECT_EQ(phase.why, "");
}

TEST(NodePhases, FollowWhatAutoscalersAndCloudsWrite) {
  const struct {
    const char* taint;
    Kind kind;
    const char* why;
  } kCases[] = {
      {"ToBeDeletedByClusterAutoscaler", Kind::kGoing, "is marked for deletion"},
      {"DeletionCandidateOfClusterAutoscaler", Kind::kGoing, "is a candidate for deletion"},
      {"karpenter.sh/disrupted", Kind::kGoing, "is being replaced"},
      {"cloud.google.com/impending-node-termination", Kind::kGoing, "is about to be terminated"},
      {"aws-node-termination-handler/spot-itn", Kind::kGoing, "is about to be terminated"},
      {"node.kubernetes.io/disk-pressure", Kind::kGoing, "is short of disk"},
      {"node.kubernetes.io/unreachable", Kind::kBroken, "cannot be reached"},
      {"node.kubernetes.io/unschedulable", Kind::kCordoned, "is cordoned"},
      {"startup-taint.cluster-autoscaler.kubernetes.io/x", Kind::kComing, "is starting"},
      {"ignore-taint.cluster-autoscaler.kubernetes.io/x", Kind::kComing, "is starting"},
      {"karpenter.sh/unregistered", Kind::kComing, "is not registered"},
      {"node.cloudprovider.kubernetes.io/uninitialized", Kind::kComing, "is not initialized"},
      {"prewarm.dev/cache-not-ready", Kind::kComing, "waits until its cache is warm"},
  };
  for (const auto& it : kCases) {
    auto node = ANode("n");
    node.taints = {ATaint("foreign"), ATaint(it.taint, Taint::Effect::kPreferNoSchedule)};
    const auto phase = Phase(node);
    EXPECT_EQ(phase.kind, it.kind) << it.taint;
    EXPECT_EQ(phase.why, std::string(it.why) + " (" + it.taint + ")");
    EXPECT_EQ(phase.MayBeWarmed(), it.kind == Kind::kComing);
  }
  auto node = ANode("n");
  node.taints = {ATaint("status-taint.cluster-autoscaler.kubernetes.io/x")};
  EXPECT_EQ(Phase(node).kind, Kind::kReady) << "a taint like any other";
}

TEST(NodePhases, TellAComingNodeFromOneThatBroke) {
  auto node = AComingNode("n");
  EXPECT_EQ(Phase(node).kind, Kind::kComing);
  EXPECT_TRUE(Phase(node).fresh);
  EXPECT_EQ(Phase(node, At(0) + minutes(21)).kind, Kind::kBroken);
  node.taints.push_back(ATaint("startup-taint.cluster-autoscaler.kubernetes.io/x"));
  EXPECT_EQ(Phase(node, At(0) + minutes(21)).kind, Kind::kComing) << "it says so itself";
  node.created_at.reset();
  node.taints.pop_back();
  EXPECT_EQ(Phase(node).kind, Kind::kBroken) << "nothing says that it is new";
}

TEST(NodePhases, CallANodeFreshForAWhileAfterItIsReady) {
  auto node = ANode("n");
  node.created_at = At(-60);
  EXPECT_EQ(Phase(node).kind, Kind::kReady);
  EXPECT_TRUE(Phase(node).fresh);
  EXPECT_FALSE(Phase(node, At(0) + minutes(10)).fresh);
}

TEST(NodePhases, CountTheWorstMarkInWhateverOrder) {
  auto node = AComingNode("n");
  node.unschedulable = true;
  EXPECT_EQ(Phase(node).kind, Kind::kCordoned);
  node.deleting = true;
  EXPECT_EQ(Phase(node).why, "is being deleted");
  node.deleting = false;
  node.disk_pressure = true;
  EXPECT_EQ(Phase(node).why, "is short of disk");

  auto mixed = ANode("m");
  mixed.taints = {ATaint("node.kubernetes.io/not-ready"), ATaint("karpenter.sh/unregistered"),
                  ATaint("node.kubernetes.io/network-unavailable")};
  mixed.ready = Truth::kFalse;
  const auto forwards = Phase(mixed).kind;
  std::reverse(mixed.taints.begin(), mixed.taints.end());
  EXPECT_EQ(Phase(mixed).kind, forwards);
  EXPECT_EQ(forwards, Kind::kComing);
}

TEST(NodePhases, KnowTheStartupTaintsOfAClaim) {
  auto node = ANode("n");
  node.taints = {ATaint("cilium.io/agent-not-ready")};
  EXPECT_EQ(Phase(node).kind, Kind::kReady);
  EXPECT_EQ(PhaseOf(node, node.taints, At(0)).kind, Kind::kComing);
}

}  // namespace
}  // namespace prewarm::controller::demand
