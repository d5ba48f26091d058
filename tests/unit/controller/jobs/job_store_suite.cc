#include "tests/unit/controller/jobs/job_store_suite.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace prewarm::controller {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<JobStore> JobStoreSuite::Open(const Clock& clock) {
  auto store = backend_->Open(clock, kPatience);
  EXPECT_TRUE(store) << store.error().message;
  return store ? *std::move(store) : nullptr;
}

std::unique_ptr<JobStore> JobStoreSuite::OpenLeading() {
  auto store = Open(clock_);
  const auto lease = store->TryAcquire("controller-1");
  EXPECT_TRUE(lease && *lease);
  return store;
}

std::string JobStoreSuite::Id(const std::string& name) {
  return Open(clock_)->IdOf("team-a", name);
}

Prewarm JobStoreSuite::Full(const std::string& name) {
  auto prewarm = AFullPrewarm(Id(name));
  backend_->MakeStorable(prewarm);
  return prewarm;
}

Prewarm AFullPrewarm(const std::string& id) {
  Prewarm prewarm;
  prewarm.id = id;
  prewarm.name_space = "team-a";
  prewarm.spec.volume = "models";
  prewarm.spec.paths = {"llama/7b", "tab\there", "not utf-8: \xff\xfe", std::string("nul\0!", 5)};
  prewarm.spec.nodes.names = {"node-1", "node-2"};
  prewarm.spec.nodes.labels = {{"pool", "gpu"}, {"\"quoted\"", "ü"}};
  prewarm.spec.nodes.count = 2;
  prewarm.spec.priority = kMaxPriority;
  prewarm.spec.deadline = WallTime(hours(500'001)) + std::chrono::nanoseconds(123'456'789);
  prewarm.spec.refuse_if_late = true;
  prewarm.spec.keep = true;
  prewarm.spec.model = "llama";
  prewarm.spec.workload =
      WorkloadRef{"serving.yatai.ai/v2alpha1", "BentoDeployment", "chat", "u-1"};
  prewarm.spec.targets = {{"node-1", 900, "pod-bound", "pod chat-1 is bound to it"},
                          {"node-2", 5, "keep-warm", ""}};
  prewarm.state = PrewarmState::kRunning;
  prewarm.reason = "Because";
  prewarm.message = "two lines\nof text";
  prewarm.created_at = WallTime(hours(500'000)) + std::chrono::nanoseconds(1);
  prewarm.generation = 3;
  prewarm.plan_hash = ~0ULL;
  prewarm.files = 12;
  NodeTask task{"node-1", 3, TaskState::kStored, "rescan", "seen later", {}, prewarm.created_at};
  task.progress = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ~0ULL};
  prewarm.tasks["node-1"] = task;
  prewarm.tasks["node-2"] = NodeTask{"node-2", 2, TaskState::kWaiting, "", "", {}, std::nullopt};
  return prewarm;
}

Prewarm Ended(Prewarm prewarm, PrewarmState state, WallTime when) {
  prewarm.state = state;
  prewarm.ended_at = when;
  return prewarm;
}

namespace {

// Without the namespace that a store may put before it.
std::string NameOf(const std::string& id) { return id.substr(id.rfind('.') + 1); }

std::vector<std::string> Ids(const std::vector<Prewarm>& prewarms) {
  std::vector<std::string> ids;
  ids.reserve(prewarms.size());
  for (const auto& prewarm : prewarms) ids.push_back(NameOf(prewarm.id));
  return ids;
}

Prewarm SaveOne(JobStore& store, const Prewarm& prewarm) {
  const auto saved = store.Save({prewarm});
  EXPECT_TRUE(saved) << saved.error().message;
  return saved ? saved->front() : Prewarm{};
}

ErrorCode CodeOf(const Result<std::vector<Prewarm>>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorCode::kInternal : result.error().code;
}

TEST_P(JobStoreSuite, GivesBackEveryFieldAfterARestart) {
  const auto saved = SaveOne(*OpenLeading(), Full("p"));
  auto expected = Full("p");
  expected.age = saved.age;
  EXPECT_EQ(saved, expected);
  const auto reopened = Open(clock_);
  const auto loaded = reopened->Load(0);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(*loaded, ElementsAre(expected));
  const auto found = reopened->Find(Id("p"));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, expected);
}

TEST_P(JobStoreSuite, KeepsWhatWasSavedLast) {
  const auto store = OpenLeading();
  auto prewarm = SaveOne(*store, Full("p"));
  prewarm.generation = 4;
  prewarm.tasks.erase("node-1");
  prewarm.tasks["node-2"].state = TaskState::kRunning;
  prewarm.tasks["node-3"] = NodeTask{"node-3", 4, TaskState::kQueued, "", "", {}, std::nullopt};
  EXPECT_EQ(SaveOne(*store, prewarm), prewarm);
  const auto found = Open(clock_)->Find(Id("p"));
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, prewarm);
}

TEST_P(JobStoreSuite, FindsNothingWhereNothingIs) {
  const auto store = OpenLeading();
  const auto found = store->Find(Id("p"));
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, std::nullopt);
  const auto loaded = store->Load(10);
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->empty());
}

TEST_P(JobStoreSuite, GivesAgesThatGrowOverRestartsAndPruning) {
  std::uint64_t last = 0;
  for (int restart = 0; restart < 3; ++restart) {
    auto store = OpenLeading();
    const auto round = std::to_string(restart);
    const auto saved = store->Save({Full("a" + round), Full("b" + round)});
    ASSERT_TRUE(saved);
    EXPECT_GT((*saved)[0].age, last);
    EXPECT_GT((*saved)[1].age, (*saved)[0].age);
    last = (*saved)[1].age;
    for (const auto& prewarm : *saved) {
      SaveOne(*store, Ended(prewarm, PrewarmState::kFailed, clock_.wall));
    }
    const auto pruned = store->Prune(0, clock_.wall + hours(1));
    ASSERT_TRUE(pruned);
    EXPECT_EQ(*pruned, 2U);
    ASSERT_TRUE(store->Release());
  }
}

TEST_P(JobStoreSuite, WritesAllOrNothing) {
  const auto store = OpenLeading();
  const auto done = SaveOne(*store, Ended(Full("done"), PrewarmState::kSucceeded, clock_.wall));
  auto other_end = done;
  other_end.state = PrewarmState::kFailed;
  EXPECT_EQ(CodeOf(store->Save({Full("new"), other_end})), ErrorCode::kConflict);
  const auto loaded = store->Load(10);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(*loaded, ElementsAre(done));
  EXPECT_TRUE(store->Save({Full("new")})) << "the refusal left the store usable";
}

TEST_P(JobStoreSuite, NeverChangesAnEnd) {
  const auto store = OpenLeading();
  for (const auto state : {PrewarmState::kSucceeded, PrewarmState::kFailed,
                           PrewarmState::kCancelled, PrewarmState::kSuperseded}) {
    const std::string id(StateName(state));
    const auto ended = SaveOne(*store, Ended(Full(id), state, clock_.wall));
    for (int other = 0; other <= static_cast<int>(PrewarmState::kSuperseded); ++other) {
      auto changed = ended;
      changed.state = static_cast<PrewarmState>(other);
      changed.message = "again";
      if (changed.state == state) {
        EXPECT_TRUE(store->Save({changed})) << "its tasks may still be recorded";
      } else {
        const auto refused = store->Save({changed});
        EXPECT_EQ(CodeOf(refused), ErrorCode::kConflict);
        EXPECT_THAT(refused.error().message, HasSubstr(id));
      }
      EXPECT_EQ((*store->Find(Id(id)))->state, state);
    }
  }
}

TEST_P(JobStoreSuite, LoadsWhatIsUnfinishedAndWhatEndedLast) {
  const auto store = OpenLeading();
  for (const auto* id : {"a", "b", "c", "d", "e"}) SaveOne(*store, Full(id));
  const auto end = [&](const char* id, int hour) {
    SaveOne(*store, Ended(Full(id), PrewarmState::kSucceeded, clock_.wall + hours(hour)));
  };
  end("d", 1);
  end("a", 3);
  end("c", 2);
  EXPECT_THAT(Ids(*store->Load(0)), ElementsAre("b", "e"));
  EXPECT_THAT(Ids(*store->Load(2)), ElementsAre("a", "b", "c", "e"));
  EXPECT_THAT(Ids(*store->Load(100)), ElementsAre("a", "b", "c", "d", "e"));
}

TEST_P(JobStoreSuite, PrunesOnlyEndsThatAreOldAndBeyondThoseToKeep) {
  const auto store = OpenLeading();
  SaveOne(*store, Full("running"));
  for (int hour = 0; hour < 5; ++hour) {
    SaveOne(*store, Ended(Full("ended-" + std::to_string(hour)), PrewarmState::kFailed,
                          clock_.wall + hours(hour)));
  }
  EXPECT_EQ(*store->Prune(4, clock_.wall + hours(3)), 1U);
  EXPECT_EQ(*store->Prune(0, clock_.wall + hours(3)), 2U);
  EXPECT_THAT(Ids(*store->Load(100)), ElementsAre("running", "ended-3", "ended-4"));
  EXPECT_EQ(*store->Prune(2, clock_.wall + hours(100)), 0U);
}

TEST_P(JobStoreSuite, KnowsAnIdempotencyKeyForADay) {
  const auto store = OpenLeading();
  auto prewarm = Full("p");
  prewarm.idempotency_key = "release-7";
  prewarm.created_at = clock_.wall;
  prewarm = SaveOne(*store, prewarm);
  const auto find = [&](const char* name_space, const char* key, Duration later) {
    const auto found = store->FindByKey(
        name_space, key, clock_.wall + std::chrono::duration_cast<WallTime::duration>(later));
    EXPECT_TRUE(found);
    return found && *found ? NameOf((*found)->id) : "";
  };
  EXPECT_EQ(find("team-a", "release-7", seconds(0)), "p");
  EXPECT_EQ(find("team-a", "release-7", hours(24) - seconds(1)), "p");
  EXPECT_EQ(find("team-a", "release-7", hours(24)), "");
  EXPECT_EQ(find("team-b", "release-7", seconds(0)), "") << "keys are a namespace's own";
  EXPECT_EQ(find("team-a", "release-8", seconds(0)), "");
  SaveOne(*store, Ended(prewarm, PrewarmState::kSucceeded, clock_.wall));
  EXPECT_EQ(find("team-a", "release-7", hours(1)), "p") << "also after it ended";
}

TEST_P(JobStoreSuite, TakesNoKeyForNoKey) {
  const auto store = OpenLeading();
  SaveOne(*store, Full("p"));
  EXPECT_EQ(*store->FindByKey("team-a", "", Full("p").created_at), std::nullopt);
}

TEST_P(JobStoreSuite, FindsTheNewestOfAKeyThatWasUsedAgain) {
  const auto store = OpenLeading();
  for (const auto* id : {"first", "second"}) {
    auto prewarm = Full(id);
    prewarm.idempotency_key = "again";
    SaveOne(*store, prewarm);
  }
  EXPECT_EQ(NameOf((*store->FindByKey("team-a", "again", clock_.wall))->id), "second");
}

TEST_P(JobStoreSuite, WritesNothingForWhoeverDoesNotLead) {
  const auto store = Open(clock_);
  EXPECT_EQ(CodeOf(store->Save({Full("p")})), ErrorCode::kConflict);
  EXPECT_EQ(store->Renew().error().code, ErrorCode::kConflict);
  EXPECT_EQ(store->Prune(0, clock_.wall).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(store->Release()) << "nothing to give up";
  EXPECT_TRUE(store->Load(1)->empty());
}

TEST_P(JobStoreSuite, GivesEveryAcquisitionALargerEpoch) {
  std::uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    const auto store = Open(clock_);
    for (int again = 0; again < 2; ++again) {
      const auto lease = store->TryAcquire("same-name");
      ASSERT_TRUE(lease && *lease);
      EXPECT_GT((*lease)->epoch, last);
      last = (*lease)->epoch;
      EXPECT_TRUE(store->Save({Full("p")})) << "the newer lease is the one in force";
    }
    ASSERT_TRUE(store->Release());
    EXPECT_EQ(CodeOf(store->Save({Full("p")})), ErrorCode::kConflict);
  }
}

TEST_P(JobStoreSuite, TakesALeaseOverOnceItsHolderWasSilentForThePatience) {
  const auto leader = OpenLeading();
  FakeClock other_clock;
  other_clock.now = SteadyTime(hours(77));
  const auto standby = Open(other_clock);
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt);
  other_clock.now += kPatience - seconds(1);
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt);
  clock_.wall += seconds(1);  // a renewal is seen by its time
  ASSERT_TRUE(leader->Renew());
  other_clock.now += seconds(2);
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt) << "it was renewed";
  other_clock.now += kPatience - seconds(1);
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt);
  other_clock.now += seconds(1);
  const auto lease = standby->TryAcquire("controller-2");
  ASSERT_TRUE(lease && *lease);
}

TEST_P(JobStoreSuite, CountsSilenceFromItsOwnFirstLook) {
  const auto leader = OpenLeading();
  clock_.now += hours(10);
  const auto standby = Open(clock_);
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt)
      << "it cannot know how long the leader was silent before";
}

TEST_P(JobStoreSuite, DoesNotTakeOverFromAnotherProcessOfTheSameName) {
  const auto leader = OpenLeading();
  const auto other = Open(clock_);
  EXPECT_EQ(*other->TryAcquire("controller-1"), std::nullopt);
  EXPECT_EQ(CodeOf(other->Save({Full("p")})), ErrorCode::kConflict);
  EXPECT_TRUE(leader->Save({Full("p")}));
}

TEST_P(JobStoreSuite, IsTakenOverAtOnceWhenGivenUp) {
  const auto leader = OpenLeading();
  const auto standby = Open(clock_);
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt);
  ASSERT_TRUE(leader->Release());
  EXPECT_TRUE(*standby->TryAcquire("controller-2"));
}

TEST_P(JobStoreSuite, TellsWhoLeadsToWhoeverStandsBy) {
  const auto leader = OpenLeading();
  const auto standby = Open(clock_);
  EXPECT_EQ(standby->SeenHolder(), "");
  EXPECT_EQ(*standby->TryAcquire("controller-2"), std::nullopt);
  EXPECT_EQ(standby->SeenHolder(), "controller-1");
}

TEST_P(JobStoreSuite, RefusesEverythingOfALeaderThatWasReplaced) {
  const auto old_leader = OpenLeading();
  const auto before = SaveOne(*old_leader, Full("p"));
  const auto new_leader = Open(clock_);
  EXPECT_EQ(*new_leader->TryAcquire("controller-2"), std::nullopt);
  clock_.now += kPatience;
  ASSERT_TRUE(*new_leader->TryAcquire("controller-2"));

  EXPECT_EQ(
      CodeOf(old_leader->Save({Ended(before, PrewarmState::kCancelled, clock_.wall), Full("q")})),
      ErrorCode::kConflict);
  EXPECT_EQ(old_leader->Renew().error().code, ErrorCode::kConflict);
  EXPECT_EQ(old_leader->Prune(0, clock_.wall + hours(1)).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(old_leader->Release());
  EXPECT_THAT(*new_leader->Load(10), ElementsAre(before)) << "nothing of it was written";
  EXPECT_TRUE(new_leader->Renew()) << "the old one's release gave up nothing of the new one's";
}

TEST_P(JobStoreSuite, LetsAReplacedLeaderComeBackOnlyAsACandidate) {
  const auto first = OpenLeading();
  const auto second = Open(clock_);
  EXPECT_EQ(*second->TryAcquire("controller-2"), std::nullopt);
  clock_.now += kPatience;
  ASSERT_TRUE(*second->TryAcquire("controller-2"));
  EXPECT_EQ(*first->TryAcquire("controller-1"), std::nullopt);
  EXPECT_TRUE(second->Save({Full("p")}));
  clock_.now += kPatience;
  EXPECT_TRUE(*first->TryAcquire("controller-1"));
  EXPECT_EQ(CodeOf(second->Save({Full("p")})), ErrorCode::kConflict);
}

}  // namespace
}  // namespace prewarm::controller
