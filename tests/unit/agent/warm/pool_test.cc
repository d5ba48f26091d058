// Several runs on one engine, on real threads: who gets what comes free, and that runs leave each
// other alone. The decisions themselves are tested in run_queue_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "agent/warm/warm_engine.h"
#include "agent/warm/warm_run.h"
#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "tests/unit/agent/warm/engine_rig.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class Pool : public EngineRig {
 protected:
  struct Job {
    Job(Pool& pool, juicefs::BlockPlan the_plan, RunRank rank, std::shared_ptr<Script> script)
        : plan(std::move(the_plan)),
          presence(plan.block_count()),
          run(*pool.engine_,
              {*pool.parts_, plan, presence, ScriptedStores(script), pool.limits_, rank}) {}

    [[nodiscard]] std::uint64_t blocks() { return run.Progress().counts.fetched_blocks; }

    juicefs::BlockPlan plan;
    Presence presence;
    WarmRun run;
    EngineOutcome outcome;
    bool ended = false;
  };

  explicit Pool() { options_.fetch_threads = 2; }

  Job& Begin(juicefs::BlockPlan plan, RunRank rank = {}, std::shared_ptr<Script> script = nullptr) {
    if (!engine_) engine_.emplace(clock_, options_);
    Job& job = jobs_.emplace_back(*this, std::move(plan), rank, script ? script : script_);
    const auto fetch = [](Job& j) -> Task<void> {
      auto outcome = co_await j.run.Fetch();
      EXPECT_TRUE(outcome) << outcome.error().message;
      if (outcome) j.outcome = *std::move(outcome);
      j.ended = true;
    };
    group_.Spawn("run", fetch(job));
    return job;
  }

  // Runs the loop until `condition`, at most for `limit`; how long that took.
  Duration Until(const std::function<bool()>& condition, Duration limit = 10s) {
    const auto begin = clock_.Now();
    while (!condition() && clock_.Now() - begin < limit) {
      loop_.restart();
      loop_.run_for(1ms);
    }
    EXPECT_TRUE(condition());
    return clock_.Now() - begin;
  }
  void For(Duration time) {
    const auto end = clock_.Now() + time;
    Until([&] { return clock_.Now() >= end; });
  }
  void UntilAllEnded() {
    Until([&] { return std::ranges::all_of(jobs_, [](const Job& job) { return job.ended; }); });
  }

  // Also after a test that failed half-way, nothing may be under way.
  void TearDown() override {
    if (engine_) engine_->Stop();
    UntilAllEnded();
  }

  static RunRank Priority(std::int32_t priority) { return {priority, std::nullopt, {}}; }

  EngineOptions options_;
  FetchLimits limits_;
  boost::asio::io_context loop_;  // a run that was awaited on it must not outlive it
  std::optional<WarmEngine> engine_;
  std::list<Job> jobs_;
  TaskGroup group_{loop_.get_executor()};
};

TEST_F(Pool, AHighRunThatArrivesGetsTheBandwidthUntilItEnds) {
  Job& low = Begin(PlanOf(500, 1), Priority(0));
  engine_->SetBandwidth(100ULL * kBlock);
  Until([&] { return low.blocks() > 30; });

  Job& high = Begin(PlanOf(100, 2), Priority(1));
  const auto to_first = Until([&] { return high.blocks() > 0; });
  EXPECT_LT(to_first, 1s);
  const auto low_before = low.blocks();
  const auto taken = Until([&] { return high.blocks() >= 95; });
  EXPECT_LE(low.blocks() - low_before, 2U);  // what was in flight
  EXPECT_LT(taken, 1500ms);                  // 95 at 100 a second
  Until([&] { return high.ended; });

  const auto low_then = low.blocks();
  Until([&] { return low.blocks() >= low_then + 20; }, 1s);  // and gets it back
  engine_->Stop();
  UntilAllEnded();
}

TEST_F(Pool, OfTwoEqualRunsTheOlderGoesFirst) {
  options_.max_requests = 4;
  script_->delay_ms = 2;
  Job& younger = Begin(PlanOf(300, 1), {0, std::nullopt, WallTime{2s}});
  Until([&] { return younger.blocks() > 10; });
  Job& older = Begin(PlanOf(300, 2), {0, std::nullopt, WallTime{1s}});
  Until([&] { return older.blocks() > 0; });
  const auto before = younger.blocks();
  Until([&] { return older.blocks() >= 280; });
  EXPECT_LE(younger.blocks() - before, 10U);
  UntilAllEnded();
  EXPECT_EQ(WholeBlocksOnDisk(), 600);
}

TEST_F(Pool, FollowsAChangeOfRankWhileItRuns) {
  engine_.emplace(clock_, options_);
  engine_->SetBandwidth(200ULL * kBlock);
  Job& a = Begin(PlanOf(600, 1), Priority(2));
  Job& b = Begin(PlanOf(600, 2), Priority(1));
  Until([&] { return a.blocks() > 50; });
  EXPECT_EQ(b.blocks(), 0U);
  b.run.SetRank(Priority(3));
  Until([&] { return b.blocks() > 0; }, 1s);
  const auto before = a.blocks();
  Until([&] { return b.blocks() > 50; }, 1s);
  EXPECT_LE(a.blocks() - before, 2U);
  engine_->Stop();
  UntilAllEnded();
}

TEST_F(Pool, ARunWhoseStoreOnlyRefusesDoesNotStopTheOther) {
  auto refusing = std::make_shared<Script>();
  refusing->answer = [](std::string&, int) -> Result<ObjectBytes> {
    return Fail(ErrorCode::kUnavailable, "503", Reason::kThrottled);
  };
  Job& sick = Begin(PlanOf(1000, 1), Priority(9), refusing);
  Job& well = Begin(PlanOf(500, 2), Priority(0));
  Until([&] { return well.ended; }, 5s);
  EXPECT_EQ(well.outcome.counts.fetched_blocks, 500U);
  EXPECT_FALSE(well.outcome.aborted);
  EXPECT_FALSE(sick.ended);
  EXPECT_LE(sick.run.Progress().counts.requests, RunWork::kMaxWaiting + 20);
  sick.run.Stop();
  EXPECT_LT(Until([&] { return sick.ended; }), 1s);
  EXPECT_EQ(WholeBlocksOnDisk(), 500);
}

TEST_F(Pool, AnAbortedRunLeavesTheOtherAlone) {
  auto missing = std::make_shared<Script>();
  missing->answer = [](std::string&, int) -> Result<ObjectBytes> {
    return Fail(ErrorCode::kNotFound, "no such bucket");
  };
  const Job& well = Begin(PlanOf(300, 2));
  const Job& sick = Begin(PlanOf(300, 1), Priority(1), missing);
  UntilAllEnded();
  EXPECT_TRUE(sick.outcome.aborted);
  EXPECT_FALSE(sick.outcome.stopped);
  EXPECT_EQ(well.outcome.counts.fetched_blocks, 300U);
}

TEST_F(Pool, KeepsRunsOfDifferentBlockSizesWithinOneMemory) {
  options_.memory_bytes = 3 << 20;
  script_->delay_ms = 1;
  const Job& small = Begin(PlanOf(200, 1, kBlock));
  const Job& big = Begin(PlanOf(16, 2, 1 << 20), Priority(1));
  const Job& odd = Begin(PlanOf(50, 3, 3 * kBlock), Priority(2));
  UntilAllEnded();
  EXPECT_EQ(small.outcome.counts.fetched_blocks, 200U);
  EXPECT_EQ(big.outcome.counts.fetched_blocks, 16U);
  EXPECT_EQ(odd.outcome.counts.fetched_blocks, 50U);
  EXPECT_LE(engine_->memory().peak, 3U << 20);
  EXPECT_GT(engine_->memory().peak, 2U << 20);
  EXPECT_EQ(engine_->memory().bytes, 0U);  // nothing is kept when nobody runs
  EXPECT_EQ(WholeBlocksOnDisk(), 266);
}

TEST_F(Pool, StoppingOneRunCutsItsRequestsAndLeavesTheOtherUntouched) {
  auto hanging = std::make_shared<Script>();
  hanging->delay_ms = 3'600'000;
  Job& stuck = Begin(PlanOf(300, 1), Priority(0), hanging);
  Job& well = Begin(PlanOf(300, 2), Priority(1));
  engine_->SetBandwidth(300ULL * kBlock);
  Until([&] { return well.blocks() > 100; });
  stuck.run.Stop();
  EXPECT_LT(Until([&] { return stuck.ended; }), 1s);
  EXPECT_TRUE(stuck.outcome.stopped);
  EXPECT_FALSE(well.ended);
  Until([&] { return well.ended; });
  EXPECT_FALSE(well.outcome.stopped);
  EXPECT_EQ(well.outcome.counts.fetched_blocks, 300U);
  EXPECT_EQ(well.outcome.counts.requests, 300U);
  EXPECT_EQ(WholeBlocksOnDisk(), 300);
}

TEST_F(Pool, AChangedBandwidthHoldsWithinASecond) {
  engine_.emplace(clock_, options_);
  engine_->SetBandwidth(20ULL * kBlock);
  Job& job = Begin(PlanOf(900));
  For(500ms);
  EXPECT_LE(job.blocks(), 20U);
  engine_->SetBandwidth(400ULL * kBlock);
  For(200ms);
  const auto before = job.blocks();
  For(1s);
  const auto fast = job.blocks() - before;
  EXPECT_GE(fast, 300U);
  EXPECT_LE(fast, 420U + 100U);  // and what may be caught up on
  engine_->SetBandwidth(20ULL * kBlock);
  For(200ms);
  const auto then = job.blocks();
  For(1s);
  EXPECT_LE(job.blocks() - then, 30U);
  engine_->SetBandwidth(0);
  EXPECT_LT(Until([&] { return job.ended; }), 2s);
}

TEST_F(Pool, HoldsTheDiskWriteLimit) {
  engine_.emplace(clock_, options_);
  engine_->SetDiskWriteLimit(40ULL * kBlock);
  const auto begin = clock_.Now();
  Begin(PlanOf(50));
  UntilAllEnded();
  EXPECT_GE(clock_.Now() - begin, 900ms);
}

TEST_F(Pool, DoesNotFetchWhatAnotherRunHasStoredSinceThePlanWasMade) {
  options_.max_requests = 4;
  const Job& first = Begin(PlanOf(200, 1), Priority(1));
  const Job& second = Begin(PlanOf(200, 1), Priority(0));
  UntilAllEnded();
  EXPECT_EQ(first.outcome.counts.fetched_blocks + second.outcome.counts.fetched_blocks, 200U);
  EXPECT_EQ(second.outcome.counts.fetched_blocks + second.outcome.counts.found_blocks +
                first.outcome.counts.fetched_blocks + first.outcome.counts.found_blocks,
            400U);
  EXPECT_LE(first.outcome.counts.requests + second.outcome.counts.requests, 250U);
}

TEST_F(Pool, DrainsWhenTheLastRunHasEndedAndRefusesLaterOnes) {
  script_->delay_ms = 3'600'000;
  const Job& a = Begin(PlanOf(100, 1));
  const Job& b = Begin(PlanOf(100, 2));
  Until([&] { return !script_->requests.With([](auto& seen) { return seen.empty(); }); });
  bool drained = false;
  const auto drain = [](WarmEngine& engine, bool& done) -> Task<void> {
    co_await engine.Drain();
    done = true;
  };
  group_.Spawn("drain", drain(*engine_, drained));
  For(50ms);
  EXPECT_FALSE(drained);
  engine_->Stop();
  EXPECT_LT(Until([&] { return drained; }), 1s);
  EXPECT_TRUE(a.ended && b.ended && a.outcome.stopped && b.outcome.stopped);
  const Job& late = Begin(PlanOf(100, 3));
  Until([&] { return late.ended; });
  EXPECT_TRUE(late.outcome.stopped);
  EXPECT_EQ(late.outcome.counts.requests, 0U);
}

TEST_F(Pool, AStopOfTheCallerEndsItsRun) {
  script_->delay_ms = 3'600'000;
  const Job& job = Begin(PlanOf(100, 1));
  Until([&] { return !script_->requests.With([](auto& seen) { return seen.empty(); }); });
  group_.Stop();
  EXPECT_LT(Until([&] { return job.ended; }), 1s);
  EXPECT_TRUE(job.outcome.stopped);
}

// Runs that come, change and go at random: every one ends, and what it counted is on the disk.
TEST_F(Pool, EndsEveryRunWhateverHappensToTheOthers) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random);
  };
  options_.memory_bytes = 2 << 20;
  script_->answer = [](std::string&, int request) -> Result<ObjectBytes> {
    if (request % 5 == 1) return Fail(ErrorCode::kCorrupt, "cut", Reason::kWrongLength);
    return ObjectBytes{};
  };
  script_->delay_ms = 1;
  for (std::uint64_t slice = 1; slice <= 20; ++slice) {
    Begin(PlanOf(1 + below(60), slice, kBlock << below(3)),
          Priority(static_cast<std::int32_t>(below(3))));
    For(std::chrono::milliseconds(below(10)));
    const auto picked = std::next(jobs_.begin(), below(static_cast<std::uint32_t>(jobs_.size())));
    if (below(3) == 0) picked->run.Stop();
    picked->run.SetRank(Priority(static_cast<std::int32_t>(below(3))));
    engine_->SetBandwidth(below(2) == 0 ? 0 : 1000ULL * kBlock);
  }
  engine_->SetBandwidth(0);
  UntilAllEnded();
  std::uint64_t fetched = 0;
  for (const Job& job : jobs_) {
    fetched += job.outcome.counts.fetched_blocks;
    if (!job.outcome.stopped) EXPECT_EQ(job.outcome.counts.fetched_blocks, job.plan.block_count());
  }
  EXPECT_EQ(WholeBlocksOnDisk(), static_cast<int>(fetched));
  EXPECT_LE(engine_->memory().peak, 2U << 20);
}

}  // namespace
}  // namespace prewarm::agent
