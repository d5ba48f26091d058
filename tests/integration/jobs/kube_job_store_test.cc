// The job store of a cluster against the real API server: what every store must do, and what only
// this one can get wrong.
#include "controller/jobs/kube_job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "controller/jobs/prewarm_object.h"
#include "tests/rig/kube_cluster.h"
#include "tests/unit/controller/jobs/job_store_suite.h"

namespace prewarm::controller {
namespace {

using testing::HasSubstr;

// One API server for all tests of the program; each test clears it.
rig::KubeCluster& Cluster() {
  static rig::KubeCluster cluster;
  static const bool installed = [] {
    const std::string folder = std::getenv("PREWARM_SOURCE_DIR");
    cluster.Kubectl(
        {"apply", "--server-side", "-f", folder + "/deploy/kubernetes/base/crds/prewarms.yaml"});
    cluster.Kubectl(
        {"wait", "--for=condition=Established", "--timeout=60s", "crd/prewarms.prewarm.dev"});
    for (const auto* name : {"team-a", "team-b", "prewarm-system"}) {
      cluster.Kubectl({"create", "namespace", name});
    }
    return true;
  }();
  static_cast<void>(installed);
  return cluster;
}

kube::KubeConfig Config() {
  auto config = kube::LoadKubeconfig(Cluster().Kubeconfig(), "");
  EXPECT_TRUE(config) << config.error().message;
  return *std::move(config);
}

Result<std::unique_ptr<JobStore>> OpenStore(const Clock& clock, Duration patience) {
  return OpenKubeJobStore(Config(), clock, {.patience = patience});
}

class KubeBackend final : public JobStoreBackend {
 public:
  KubeBackend() {
    Cluster().Kubectl({"delete", "prewarms", "--all", "-n", "team-a"});
    Cluster().Kubectl(
        {"delete", "lease", "prewarm-controller", "-n", "prewarm-system", "--ignore-not-found"});
  }
  Result<std::unique_ptr<JobStore>> Open(const Clock& clock, Duration patience) override {
    return OpenStore(clock, patience);
  }
  void MakeStorable(Prewarm& prewarm) override {
    prewarm.spec.paths = {"llama/7b", "tab\there"};  // JSON holds UTF-8
    for (auto& [node, task] : prewarm.tasks) {
      auto& rate = task.progress.bytes_per_second;  // the API's integers have a sign
      rate = std::min<std::uint64_t>(rate, std::numeric_limits<std::int64_t>::max());
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Kube, JobStoreSuite,
                         testing::Values([] { return std::make_unique<KubeBackend>(); }));

class KubeStore : public testing::Test {
 protected:
  static std::string Object(const std::string& name) {
    return "/apis/prewarm.dev/v1alpha1/namespaces/team-a/prewarms/" + name;
  }
  std::unique_ptr<JobStore> OpenLeading(const std::string& holder) {
    auto store = OpenStore(clock_, kPatience);
    EXPECT_TRUE(store) << store.error().message;
    const auto lease = (*store)->TryAcquire(holder);
    EXPECT_TRUE(lease && *lease) << (lease ? "held by another" : lease.error().message);
    return *std::move(store);
  }
  static Prewarm Small(const std::string& name) {
    Prewarm prewarm;
    prewarm.name_space = "team-a";
    prewarm.id = PrewarmId("team-a", name);
    prewarm.spec.volume = "models";
    prewarm.state = PrewarmState::kRunning;
    prewarm.created_at = WallTime(std::chrono::hours(500'000));
    return prewarm;
  }

  KubeBackend cleared_;
  FakeClock clock_;
};

TEST_F(KubeStore, FencesALeaderThatBelievesItsLeaseByTheObjectsThemselves) {
  const auto old_leader = OpenLeading("a");
  auto saved = old_leader->Save({Small("p")});
  ASSERT_TRUE(saved) << saved.error().message;
  // The old one's clock stands still, so that it is sure of its lease; the new one's ran on.
  FakeClock ahead;
  auto standby = OpenStore(ahead, kPatience);
  ASSERT_TRUE(standby);
  EXPECT_EQ(*(*standby)->TryAcquire("b"), std::nullopt);
  ahead.now += kPatience;
  ASSERT_TRUE(*(*standby)->TryAcquire("b"));

  auto stale = saved->front();
  stale.state = PrewarmState::kFailed;
  stale.ended_at = WallTime(std::chrono::hours(500'001));
  const auto refused = old_leader->Save({stale});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict) << refused.error().message;
  EXPECT_THAT(refused.error().message, HasSubstr("newer leader"));
  EXPECT_EQ((*(*standby)->Find(stale.id))->state, PrewarmState::kRunning);
}

TEST_F(KubeStore, LetsUsersEditWhatItWrites) {
  const auto store = OpenLeading("a");
  auto saved = store->Save({Small("p")});
  ASSERT_TRUE(saved) << saved.error().message;
  Cluster().Kubectl({"label", "prewarm", "p", "-n", "team-a", "colour=blue"});
  saved->front().message = "half of it";
  ASSERT_TRUE(store->Save(*saved));
  const auto object = Cluster().Kubectl({"get", "prewarm", "p", "-n", "team-a", "-o", "json"});
  EXPECT_THAT(object, HasSubstr("blue"));
  EXPECT_THAT(object, HasSubstr("half of it"));
}

TEST_F(KubeStore, LeavesAnEditedSpecToItsUser) {
  const auto store = OpenLeading("a");
  auto saved = store->Save({Small("p")});
  ASSERT_TRUE(saved) << saved.error().message;
  Cluster().Kubectl({"patch", "prewarm", "p", "-n", "team-a", "--type=merge", "-p",
                     R"({"spec":{"priority":7}})"});
  saved->front().message = "half of it";
  ASSERT_TRUE(store->Save(*saved));
  const auto of = [](const std::string& path) {
    return Cluster().Kubectl({"get", "prewarm", "p", "-n", "team-a", "-o", "jsonpath=" + path});
  };
  EXPECT_EQ(of("{.spec.priority}"), "7") << "the edit was written back";
  EXPECT_EQ(of("{.status.observedGeneration}"), "1");
  saved->front().spec.priority = 7;  // taken in
  ASSERT_TRUE(store->Save(*saved));
  EXPECT_EQ(of("{.status.observedGeneration}"), "2");
}

TEST_F(KubeStore, WritesWhatTheLeaderDecided) {
  const auto store = OpenLeading("a");
  auto prewarm = Small("p");
  prewarm.spec.workload = WorkloadRef{"apps/v1", "Deployment", "chat", "u-1"};
  prewarm.spec.targets = {{"n1", 5, "pod-bound", "why"}};
  auto saved = store->Save({prewarm});
  ASSERT_TRUE(saved) << saved.error().message;
  saved->front().spec.targets.push_back({"n2", 6, "pod-bound", "why"});
  ASSERT_TRUE(store->Save(*saved));
  EXPECT_EQ((*store->Find(prewarm.id))->spec.targets, saved->front().spec.targets);
}

TEST_F(KubeStore, SaysInConditionsWhatHolds) {
  const auto store = OpenLeading("a");
  auto prewarm = Small("p");
  prewarm.tasks["n1"] = {"n1", 1, TaskState::kVisible, "", "", {}, std::nullopt};
  prewarm.state = PrewarmState::kSucceeded;
  prewarm.reason = "AllVisible";
  prewarm.ended_at = WallTime(std::chrono::hours(500'001));
  ASSERT_TRUE(store->Save({prewarm}));
  Cluster().Kubectl(
      {"wait", "--for=condition=Complete", "--timeout=10s", "prewarm/p", "-n", "team-a"});
}

TEST_F(KubeStore, TakesADeletedPrewarmForOneThatNobodyKeeps) {
  const auto store = OpenLeading("a");
  auto saved = store->Save({Small("p"), Small("q")});
  ASSERT_TRUE(saved) << saved.error().message;
  Cluster().Kubectl({"delete", "prewarm", "p", "-n", "team-a"});
  EXPECT_TRUE(store->Save(*saved));
  EXPECT_EQ(*store->Find(Small("p").id), std::nullopt);
  EXPECT_NE(*store->Find(Small("q").id), std::nullopt);
}

TEST_F(KubeStore, LeavesWhatAUserMadeToWhoeverAcceptsIt) {
  const auto made = Cluster().Apply(
      Object("mine") + "?fieldManager=me",
      R"({"apiVersion": "prewarm.dev/v1alpha1", "kind": "Prewarm", "metadata": {"name": "mine"},
          "spec": {"volume": "models", "paths": ["a"], "priority": 7}})");
  ASSERT_EQ(made.status, 201) << made.body;
  const auto store = OpenLeading("a");
  EXPECT_TRUE(store->Load(10)->empty()) << "nobody has accepted it yet";
  auto prewarm = Small("mine");
  prewarm.spec.paths = {"a"};
  prewarm.spec.priority = 7;
  ASSERT_TRUE(store->Save({prewarm}));
  const auto found = store->Find(prewarm.id);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->spec, prewarm.spec);
}

TEST_F(KubeStore, RefusesPathsThatJsonCannotHold) {
  const auto store = OpenLeading("a");
  auto prewarm = Small("p");
  prewarm.spec.paths = {"not utf-8: \xff\xfe"};
  const auto refused = store->Save({prewarm});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("UTF-8"));
  EXPECT_EQ(*store->Find(prewarm.id), std::nullopt);
}

TEST_F(KubeStore, ShowsKubectlHowItGoes) {
  const auto store = OpenLeading("a");
  auto prewarm = Small("p");
  prewarm.spec.model = "llama";
  prewarm.tasks["n1"] = {"n1", 1, TaskState::kVisible, "", "", {}, std::nullopt};
  prewarm.tasks["n2"] = {"n2", 1, TaskState::kRunning, "", "", {}, std::nullopt};
  for (auto& [node, task] : prewarm.tasks) task.progress.planned_bytes = 100;
  prewarm.tasks["n2"].progress.fetched_bytes = 20;
  ASSERT_TRUE(store->Save({prewarm}));
  const auto table = Cluster().Kubectl({"get", "prewarms", "-n", "team-a"});
  EXPECT_THAT(table, testing::ContainsRegex("p +running +60% +1 +2 +models +llama"));
}

}  // namespace
}  // namespace prewarm::controller
