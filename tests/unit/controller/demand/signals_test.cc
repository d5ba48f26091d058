// When models will be needed: the ladder, rung by rung.
#include "controller/demand/signals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<SignalKind> Kinds(const Demand& demand) {
  std::vector<SignalKind> kinds;
  for (const auto& signal : demand.signals) kinds.push_back(signal.kind);
  return kinds;
}

Demand Of(const ModelFacts& models, const Policy& policy = {}) {
  return ReadSignals(models, {}, policy, {}, At(0));
}

TEST(Ladder, HasADistinctNameForEverySignal) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kSignalKinds; ++i) {
    names.insert(SignalName(static_cast<SignalKind>(i)));
  }
  EXPECT_EQ(names.size(), kSignalKinds);
  EXPECT_EQ(SignalName(SignalKind::kHpaDesired), "hpa-desired");
  EXPECT_EQ(SignalName(SignalKind::kPodPending), "pod-pending");
}

TEST(Ladder, LiftsFromThePolicysPriorityInAFixedOrder) {
  const std::vector<SignalKind> order{SignalKind::kKeepWarm,     SignalKind::kHpaTrend,
                                      SignalKind::kModelsSeeded, SignalKind::kBentoReady,
                                      SignalKind::kHpaDesired,   SignalKind::kPodPending,
                                      SignalKind::kNodeClaimed,  SignalKind::kNodeJoined,
                                      SignalKind::kPodStarted,   SignalKind::kPodBound};
  for (const auto base : {0, 100, 500, 990}) {
    for (std::size_t i = 0; i + 1 < order.size(); ++i) {
      EXPECT_LE(PriorityOf(order[i], base), PriorityOf(order[i + 1], base));
      if (base < 900) EXPECT_LT(PriorityOf(order[i], base), PriorityOf(order[i + 1], base));
    }
    EXPECT_EQ(PriorityOf(SignalKind::kKeepWarm, base), base);
    EXPECT_LE(PriorityOf(SignalKind::kPodBound, base), 1000);
  }
  EXPECT_EQ(PriorityOf(SignalKind::kPodBound, 1000), 1000);
  EXPECT_EQ(PriorityOf(SignalKind::kPodBound, 5000), 1000);
  EXPECT_EQ(PriorityOf(SignalKind::kKeepWarm, -5), 0);
}

TEST(Signals, PlanButWarmNothingBeforeTheModelsAreWhole) {
  ModelFacts models;
  models.known_at = At(-60);
  models.wanted = false;
  EXPECT_THAT(Kinds(Of(models)), ElementsAre(SignalKind::kModelsKnown)) << "S1";
  EXPECT_EQ(Of(models).signals[0].since, At(-60));
  models.wanted = true;
  models.min_replicas = 3;
  models.max_replicas = 9;
  EXPECT_THAT(Kinds(Of(models)),
              ElementsAre(SignalKind::kModelsKnown, SignalKind::kDeploymentKnown))
      << "S2";
  EXPECT_EQ(Of(models).replicas, 0);
  models.seeded_at = At(-10);
  EXPECT_THAT(Kinds(Of(models)),
              ElementsAre(SignalKind::kKeepWarm, SignalKind::kModelsKnown,
                          SignalKind::kDeploymentKnown, SignalKind::kModelsSeeded))
      << "S3";
  EXPECT_EQ(Of(models).replicas, 3) << "the HPA will lift it to that in any case";
  models.ready_at = At(-5);
  EXPECT_NE(Of(models).Find(SignalKind::kBentoReady), nullptr) << "S4";
}

TEST(Signals, OfTheRollOutCanBeTurnedOff) {
  ModelFacts models = WholeModels();
  models.min_replicas = models.max_replicas = 3;
  Policy policy;
  policy.keep_nodes = 0;
  policy.triggers.on_seeded = false;
  EXPECT_EQ(Of(models, policy).replicas, 3);
  policy.triggers.on_deployment_change = false;
  EXPECT_EQ(Of(models, policy).replicas, 0);
  policy.triggers.on_seeded = true;
  EXPECT_EQ(Of(models, policy).replicas, 3);
}

TEST(Signals, FollowTheAutoscaler) {
  Cluster cluster;
  auto& hpa = cluster.WithHpa(1, 8, 1);
  cluster.AddPod("chat-1", "n1").started_at = At(-1);
  EXPECT_EQ(cluster.Read().Find(SignalKind::kHpaDesired), nullptr) << "it has what it wants";
  hpa.desired_replicas = cluster.deployment.replicas = 4;
  const auto demand = cluster.Read(At(15));
  const auto* signal = demand.Find(SignalKind::kHpaDesired);
  ASSERT_NE(signal, nullptr) << "S6";
  EXPECT_EQ(signal->replicas, 4);
  EXPECT_EQ(signal->since, At(15));
  EXPECT_EQ(signal->words, "the autoscaler wants 4 replicas, 1 has a node");
  EXPECT_EQ(cluster.Read(At(30)).Find(SignalKind::kHpaDesired)->since, At(15)) << "still the same";
  hpa.desired_replicas = cluster.deployment.replicas = 1;
  EXPECT_EQ(cluster.Read(At(45)).Find(SignalKind::kHpaDesired), nullptr);
  hpa.desired_replicas = cluster.deployment.replicas = 2;
  EXPECT_EQ(cluster.Read(At(60)).Find(SignalKind::kHpaDesired)->since, At(60)) << "a new one";
}

TEST(Signals, NeverAskForMoreThanTheMost) {
  Cluster cluster;
  cluster.WithHpa(1, 3, 3).desired_replicas = 70;
  for (int i = 0; i < 9; ++i) cluster.AddPod("chat-" + std::to_string(i), "");
  const auto demand = cluster.Read();
  EXPECT_EQ(demand.replicas, 3);
  for (const auto& signal : demand.signals) EXPECT_LE(signal.replicas, 3) << signal.words;
}

TEST(Signals, FollowReplicasThatSomebodyElseSet) {
  Cluster cluster;
  cluster.deployment.replicas = 5;
  const auto demand = cluster.Read();
  ASSERT_NE(demand.Find(SignalKind::kDeploymentReplicas), nullptr);
  EXPECT_EQ(demand.replicas, 5);
  EXPECT_EQ(demand.Find(SignalKind::kDeploymentReplicas)->words,
            "the deployment wants 5 replicas, 0 have a node");
}

TEST(Signals, ForeseeAScaleUp) {
  Cluster cluster;
  auto& hpa = cluster.WithHpa(1, 8, 2);
  for (const auto* node : {"n1", "n2"}) cluster.AddPod(node, node).started_at = At(-1);
  hpa.metrics = {{"http_request", 10, 20}};
  EXPECT_EQ(cluster.Read().Find(SignalKind::kHpaTrend), nullptr);
  hpa.metrics[0].current = 18;
  auto demand = cluster.Read(At(15));
  ASSERT_NE(demand.Find(SignalKind::kHpaTrend), nullptr) << "S5";
  EXPECT_EQ(demand.replicas, 3) << "one spare";
  EXPECT_EQ(demand.Find(SignalKind::kHpaTrend)->words,
            "a metric of the autoscaler is at 90 % of its target and grows");
  hpa.metrics[0].current = 50;
  EXPECT_EQ(cluster.Read(At(30)).replicas, 5) << "what the formula will give";
  hpa.max_replicas = 2;
  EXPECT_EQ(cluster.Read(At(45)).Find(SignalKind::kHpaTrend), nullptr) << "there can be no more";
  hpa.max_replicas = 8;
  cluster.policy.triggers.on_forecast = false;
  EXPECT_EQ(cluster.Read(At(60)).Find(SignalKind::kHpaTrend), nullptr);
}

TEST(Signals, FollowPodsFromPendingToStarted) {
  Cluster cluster;
  cluster.WithHpa(1, 8, 2);
  cluster.AddPod("chat-1", "n1");
  auto& second = cluster.AddPod("chat-2", "");
  auto demand = cluster.Read();
  ASSERT_NE(demand.Find(SignalKind::kPodPending), nullptr) << "S7";
  EXPECT_EQ(demand.Find(SignalKind::kPodPending)->since, At(-5)) << "since the pod is there";
  EXPECT_EQ(demand.Find(SignalKind::kPodPending)->replicas, 2);
  EXPECT_EQ(demand.Find(SignalKind::kPodBound)->replicas, 1) << "S10";
  second.node = "n2";
  second.bound_at = At(20);
  second.started_at = At(80);
  demand = cluster.Read(At(90));
  EXPECT_EQ(demand.Find(SignalKind::kPodPending), nullptr);
  EXPECT_EQ(demand.Find(SignalKind::kPodStarted)->since, At(80)) << "S11";
  EXPECT_EQ(demand.bound.size(), 2U);
  cluster.policy.triggers.on_pending_pod = false;
  second.node.clear();
  EXPECT_EQ(cluster.Read(At(90)).Find(SignalKind::kPodPending), nullptr);
}

TEST(Signals, FollowTheClusterAutoscalersEvents) {
  Cluster cluster;
  cluster.WithHpa(1, 8, 1);
  auto& pod = cluster.AddPod("chat-1", "");
  cluster.scale_ups.push_back({"ml", "chat-1", pod.uid, {{"gke-l4", 0, 1}}, At(3)});
  cluster.scale_ups.push_back({"ml", "foreign", "uid-foreign", {{"other", 0, 1}}, At(1)});
  const auto demand = cluster.Read(At(5));
  const auto* signal = demand.Find(SignalKind::kScaleUpTriggered);
  ASSERT_NE(signal, nullptr) << "S8";
  EXPECT_EQ(signal->words, "the cluster autoscaler makes nodes in gke-l4");
  EXPECT_EQ(signal->since, At(3));
  pod.node = "n1";
  EXPECT_EQ(cluster.Read(At(300)).Find(SignalKind::kScaleUpTriggered), nullptr) << "it has come";
}

TEST(Signals, LeaveOutPodsThatGo) {
  Cluster cluster;
  cluster.WithHpa(1, 8, 1);
  cluster.AddPod("chat-1", "n1").deleting = true;
  cluster.AddPod("chat-2", "").deleting = true;
  cluster.AddPod("chat-3", "n1").phase = PodPhase::kFailed;
  const auto demand = cluster.Read();
  EXPECT_THAT(demand.bound, IsEmpty());
  EXPECT_EQ(demand.Find(SignalKind::kPodPending), nullptr);
}

TEST(Signals, KeepTheVersionBeforeUntilItsLastReplicaIsGone) {
  Cluster cluster;
  cluster.WithHpa(1, 8, 2);
  auto& old = cluster.old_sets.emplace_back(Cluster::ASet("chat-old", 1));
  old.labels = {{"yatai.ai/bento-version", "v1"}};
  cluster.AddPod("old-2", "n2", old.uid);
  cluster.AddPod("old-1", "n1", old.uid);
  cluster.AddPod("new-1", "n3");
  auto demand = cluster.Read();
  EXPECT_THAT(demand.old_revisions, ElementsAre(OldRevision{"old", old.labels, 1, {"n1", "n2"}}));
  EXPECT_EQ(demand.bound.size(), 1U) << "of the new version";
  EXPECT_EQ(demand.Find(SignalKind::kRollingUpdate)->words, "1 version from before still runs");
  old.replicas = 0;
  EXPECT_THAT(cluster.Read().old_revisions, testing::SizeIs(1)) << "its pods still stop";
  old.current_replicas = 0;
  EXPECT_THAT(cluster.Read().old_revisions, IsEmpty());
}

TEST(Signals, KnowTheirPodsByLabelsWhereTheModelsSayThem) {
  Cluster cluster;
  cluster.WithHpa(1, 8, 2);
  cluster.set.labels = {{"yatai.ai/bento-version", "v1"}};
  cluster.AddPod("chat-1", "n1").labels = {{"yatai.ai/bento-version", "v1"}};
  cluster.models.pods.requirements = {
      {"yatai.ai/bento-version", Requirement::Operator::kIn, {"v2"}}};
  const auto demand = cluster.Read();
  EXPECT_THAT(demand.bound, IsEmpty()) << "the newest ReplicaSet still runs the version before";
  EXPECT_THAT(demand.old_revisions, testing::SizeIs(1));
  EXPECT_EQ(demand.Find(SignalKind::kHpaDesired)->replicas, 2);
  cluster.models.pods.requirements[0].values = {"v1"};
  EXPECT_EQ(cluster.Read().bound.size(), 1U);
}

TEST(Signals, KeepWhatWasWantedLatelyForAWhile) {
  Cluster cluster;
  auto& hpa = cluster.WithHpa(1, 8, 6);
  EXPECT_EQ(cluster.Read(At(0)).replicas, 6);
  const auto scale = [&](std::int32_t replicas, int at) {
    hpa.desired_replicas = cluster.deployment.replicas = replicas;
    return cluster.Read(At(at)).replicas;
  };
  EXPECT_EQ(scale(2, 60), 6);
  EXPECT_EQ(scale(4, 900), 6);
  EXPECT_EQ(scale(1, 1000), 6);
  EXPECT_EQ(scale(1, 1860), 4) << "the six are half an hour ago, the four are not";
  EXPECT_EQ(scale(1, 900 + 1801), 1);
  EXPECT_EQ(scale(3, 3000), 3);
}

TEST(Signals, DoNotKeepWhatWasOnlyForeseen) {
  Cluster cluster;
  auto& hpa = cluster.WithHpa(1, 8, 1);
  hpa.metrics = {{"cpu", 10, 20}};
  cluster.Read(At(0));
  hpa.metrics[0].current = 19;
  ASSERT_EQ(cluster.Read(At(15)).replicas, 2);
  hpa.metrics[0].current = 5;
  EXPECT_EQ(cluster.Read(At(30)).replicas, 1);
}

TEST(Signals, RememberALimitedNumberOfPeaks) {
  Cluster cluster;
  auto& hpa = cluster.WithHpa(1, 1000, 1000);
  cluster.policy.keep_after_scale_down = std::chrono::hours(1000);
  for (int i = 1000; i > 0; --i) {
    hpa.desired_replicas = cluster.deployment.replicas = i;
    EXPECT_EQ(cluster.Read(At(1000 - i)).replicas, 1000);
    EXPECT_LE(cluster.memory.peaks.size(), 16U);
  }
}

TEST(Signals, AskForNothingAtZeroReplicasButWhatThePolicyKeeps) {
  Cluster cluster;
  cluster.models.min_replicas = 0;
  cluster.models.max_replicas = 4;
  cluster.deployment.replicas = 0;
  EXPECT_EQ(cluster.Read().replicas, 1);
  EXPECT_EQ(cluster.Read().Find(SignalKind::kKeepWarm)->words, "the policy keeps 1 node warm");
  cluster.policy.keep_nodes = 3;
  EXPECT_EQ(cluster.Read().replicas, 3);
  cluster.policy.keep_nodes = 0;
  EXPECT_EQ(cluster.Read().replicas, 0);
  EXPECT_EQ(cluster.Read().Find(SignalKind::kKeepWarm), nullptr);
  cluster.deployment.replicas = 1;  // a request woke it up
  EXPECT_EQ(cluster.Read().replicas, 1);
  EXPECT_NE(cluster.Read().Find(SignalKind::kDeploymentReplicas), nullptr);
}

TEST(Signals, AreNoneUnderASuspendedPolicy) {
  Cluster cluster;
  cluster.AddPod("chat-1", "n1");
  cluster.Read();
  cluster.policy.suspend = true;
  const auto demand = cluster.Read();
  EXPECT_THAT(demand.signals, IsEmpty());
  EXPECT_EQ(demand.replicas, 0);
  EXPECT_EQ(demand.memory, SignalMemory{});
}

}  // namespace
}  // namespace prewarm::controller::demand
