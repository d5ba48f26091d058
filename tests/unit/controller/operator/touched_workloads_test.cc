#include "controller/operator/touched_workloads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "controller/operator/look_pacer.h"

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

bento::Workload AWorkload(const std::string& name, const std::string& bento = "") {
  bento::Workload workload;
  workload.ref = {"serving.yatai.ai/v2alpha1", "BentoDeployment", "team", name, "uid-" + name};
  workload.bento = bento;
  bento::Component component;
  component.pod_labels = {{"app", name}};
  workload.components.push_back(component);
  return workload;
}

demand::Deployment ADeployment(const std::string& name) {
  demand::Deployment deployment;
  deployment.name_space = "team";
  deployment.name = name;
  deployment.uid = "uid-of-deployment-" + name;
  deployment.labels = {{"app", name}};
  return deployment;
}

demand::ReplicaSet AReplicaSet(const demand::Deployment& deployment) {
  demand::ReplicaSet set;
  set.uid = "uid-of-set-" + deployment.name;
  set.owner_uid = deployment.uid;
  return set;
}

// Two workloads with a Deployment and a ReplicaSet each.
class Touched : public testing::Test {
 protected:
  Touched() { touched_.Take(lookup_); }

  const bento::Workload chat_ = AWorkload("chat", "chat--1");
  const bento::Workload rank_ = AWorkload("rank", "rank--1");
  const demand::Deployment chats_ = ADeployment("chat");
  const demand::Deployment ranks_ = ADeployment("rank");
  const demand::ReplicaSet chat_set_ = AReplicaSet(chats_);
  const demand::ReplicaSet rank_set_ = AReplicaSet(ranks_);
  const OwnerLookup lookup_{{&chats_, &ranks_}, {&chat_set_, &rank_set_}, {&chat_, &rank_}};
  TouchedWorkloads touched_;
};

TEST(TouchedWorkloads, AreAllAtFirst) { EXPECT_TRUE(TouchedWorkloads().Take({}).others); }

TEST_F(Touched, AreForgottenOnceTaken) {
  touched_.Touch(chat_);
  touched_.TouchOthers();
  auto changes = touched_.Take(lookup_);
  EXPECT_TRUE(changes.others);
  EXPECT_THAT(changes.workloads, ElementsAre("uid-chat"));
  changes = touched_.Take(lookup_);
  EXPECT_FALSE(changes.others);
  EXPECT_THAT(changes.workloads, IsEmpty());
}

TEST_F(Touched, AreThoseWhoseAutoscalerWishes) {
  demand::Hpa hpa;
  hpa.name_space = "team";
  hpa.target_kind = "Deployment";
  hpa.target_name = "rank";
  touched_.Touch(hpa);
  const auto changes = touched_.Take(lookup_);
  EXPECT_THAT(changes.workloads, ElementsAre("uid-rank"));
  EXPECT_FALSE(changes.others);

  hpa.name_space = "elsewhere";
  touched_.Touch(hpa);
  EXPECT_THAT(touched_.Take(lookup_).workloads, IsEmpty());
}

TEST_F(Touched, AreThoseWhosePodChangesAndOthersLoseWhatItHolds) {
  demand::Pod pod;
  pod.owner_uid = chat_set_.uid;
  touched_.Touch(pod);
  const auto changes = touched_.Take(lookup_);
  EXPECT_THAT(changes.workloads, ElementsAre("uid-chat"));
  EXPECT_TRUE(changes.others);
}

TEST_F(Touched, AreThoseOfADeploymentByItsOwnerToo) {
  auto runner = ADeployment("chat-runner-0");
  runner.owner.uid = "uid-chat";
  auto lookup = lookup_;
  lookup.deployments.push_back(&runner);
  touched_.Touch(runner);
  touched_.Touch(ranks_);
  EXPECT_THAT(touched_.Take(lookup).workloads, UnorderedElementsAre("uid-chat", "uid-rank"));
}

TEST_F(Touched, AreThoseOfABentoInTheirNamespace) {
  touched_.TouchBento({"team", "rank--1"});
  touched_.TouchBento({"elsewhere", "chat--1"});
  EXPECT_THAT(touched_.Take(lookup_).workloads, ElementsAre("uid-rank"));
}

TEST(LookPacer, TakesABoundedShareOfTheTime) {
  LookPacer pacer;
  const SteadyTime begin{std::chrono::hours(1)};
  EXPECT_LT(pacer.Due(false), begin);
  const auto end = begin + std::chrono::milliseconds(100);
  pacer.Looked(begin, end);
  EXPECT_EQ(pacer.Due(true), end + std::chrono::milliseconds(400));
  EXPECT_EQ(pacer.Due(false), end + std::chrono::milliseconds(1900));
  pacer.Looked(begin, begin + std::chrono::milliseconds(1));
  EXPECT_EQ(pacer.Due(false) - begin, std::chrono::milliseconds(1001));
}

}  // namespace
}  // namespace prewarm::controller
