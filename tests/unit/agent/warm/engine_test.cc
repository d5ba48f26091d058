// One run of the engine: what is published, what is counted, and that it always ends.
#include "agent/warm/warm_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "agent/warm/plan_scan.h"
#include "agent/warm/warm_run.h"
#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "tests/unit/agent/warm/engine_rig.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""ms;

class Engine : public EngineRig {
 protected:
  EngineOutcome Fetch(const juicefs::BlockPlan& plan, EngineOptions options = {},
                      Duration stop_after = Duration::zero()) {
    options.fetch_threads = 2;
    WarmEngine engine(clock_, options);
    boost::asio::io_context loop;
    TaskGroup group(loop.get_executor());
    EngineOutcome outcome;
    const auto run = [](Engine& self, WarmEngine& e, const juicefs::BlockPlan& p,
                        EngineOutcome& out) -> Task<void> {
      Presence presence(p.block_count());
      auto work = co_await ScanPlan(*self.parts_, p, presence);
      if (work) self.work_ = *work;
      WarmRun warm(
          e, {*self.parts_, p, presence, ScriptedStores(self.script_), e.options().fetch, {}});
      auto result = co_await warm.Fetch();
      EXPECT_TRUE(result) << result.error().message;
      if (result) out = *result;
    };
    const auto stop = [](WarmEngine& e, Duration after) -> Task<void> {
      co_await SleepFor(after);
      e.Stop();
    };
    group.Spawn("run", run(*this, engine, plan, outcome));
    if (stop_after > Duration::zero()) group.Spawn("stop", stop(engine, stop_after));
    loop.run();
    return outcome;
  }

  PlannedWork work_;
};

std::uint64_t Count(const std::array<std::uint64_t, Tally::kReasons>& counts, Reason reason) {
  return counts[static_cast<std::size_t>(reason)];
}

TEST_F(Engine, FetchesEveryBlockOnceAndOnlyWhatIsMissing) {
  const auto plan = PlanOf(100);
  auto outcome = Fetch(plan);
  EXPECT_EQ(outcome.counts.fetched_blocks, 100U);
  EXPECT_EQ(outcome.counts.fetched_bytes, plan.bytes());
  EXPECT_EQ(outcome.counts.requests, 100U);
  EXPECT_EQ(outcome.counts.unverified_blocks, 100U);
  EXPECT_EQ(WholeBlocksOnDisk(), 100);

  outcome = Fetch(plan);
  EXPECT_EQ(work_.present_blocks, 100U);
  EXPECT_EQ(outcome.counts.requests, 0U);
}

TEST_F(Engine, MakesTransientErrorsGoodWithinItsRetryBudget) {
  script_->answer = [](std::string&, int request) -> Result<ObjectBytes> {
    if (request == 1) return Fail(ErrorCode::kUnavailable, "503", Reason::kServerError);
    return ObjectBytes{};
  };
  const auto outcome = Fetch(PlanOf(12));
  EXPECT_EQ(outcome.counts.fetched_blocks, 12U);
  EXPECT_EQ(outcome.counts.retries, 12U);
  EXPECT_EQ(Count(outcome.counts.errors_by_reason, Reason::kServerError), 12U);
}

TEST_F(Engine, NeverPublishesDamagedBytes) {
  script_->answer = [](std::string& object, int) -> Result<ObjectBytes> {
    const auto right =
        juicefs::Crc32c({reinterpret_cast<const std::byte*>(object.data()), object.size()});
    object[object.size() / 2] ^= 0x10;
    ObjectBytes answer;
    answer.crc32c = right;
    return answer;
  };
  const auto outcome = Fetch(PlanOf(10));
  EXPECT_EQ(outcome.counts.failed_blocks, 10U);
  EXPECT_EQ(Count(outcome.counts.failed_by_reason, Reason::kChecksumMismatch), 10U);
  EXPECT_EQ(outcome.counts.requests, 20U);  // each once more on a fresh connection
  EXPECT_EQ(WholeBlocksOnDisk(), 0);
}

TEST_F(Engine, RefusesObjectsOfAnotherLength) {
  script_->answer = [](std::string& object, int) -> Result<ObjectBytes> {
    object.pop_back();
    return ObjectBytes{};
  };
  const auto outcome = Fetch(PlanOf(3));
  EXPECT_EQ(Count(outcome.counts.failed_by_reason, Reason::kWrongLength), 3U);
  EXPECT_EQ(WholeBlocksOnDisk(), 0);
}

TEST_F(Engine, RequireChecksumRefusesWhatCannotBeChecked) {
  EngineOptions options;
  options.fetch.require_checksum = true;
  const auto outcome = Fetch(PlanOf(3), options);
  EXPECT_EQ(Count(outcome.counts.failed_by_reason, Reason::kNoChecksum), 3U);
  EXPECT_EQ(WholeBlocksOnDisk(), 0);
}

TEST_F(Engine, HandsMissingObjectsBackAsStale) {
  script_->answer = [](std::string& object, int) -> Result<ObjectBytes> {
    if (object.size() < kBlock) return Fail(ErrorCode::kNotFound, "404", Reason::kNotFound);
    return ObjectBytes{};
  };
  const auto outcome = Fetch(PlanOf(5));
  EXPECT_EQ(outcome.counts.fetched_blocks, 4U);
  EXPECT_EQ(outcome.stale, std::vector<std::uint64_t>{4});
  EXPECT_EQ(outcome.counts.failed_blocks, 0U);
}

TEST_F(Engine, GivesUpSoonWhenTheBucketIsMissingOrRefuses) {
  script_->answer = [](std::string&, int) -> Result<ObjectBytes> {
    return Fail(ErrorCode::kNotFound, "no such bucket");
  };
  auto outcome = Fetch(PlanOf(200));
  ASSERT_TRUE(outcome.aborted);
  EXPECT_LT(outcome.counts.requests, 100U);

  script_->answer = [](std::string&, int) -> Result<ObjectBytes> {
    return Fail(ErrorCode::kPermission, "403", Reason::kAccessDenied);
  };
  outcome = Fetch(PlanOf(200));
  ASSERT_TRUE(outcome.aborted);
  EXPECT_LT(outcome.counts.requests, 100U);
}

TEST_F(Engine, HoldsTheBandwidthLimit) {
  EngineOptions options;
  options.fetch.bytes_per_second = 40 * kBlock;
  const auto begin = clock_.Now();
  const auto outcome = Fetch(PlanOf(50), options);
  const double seconds = std::chrono::duration<double>(clock_.Now() - begin).count();
  EXPECT_EQ(outcome.counts.fetched_blocks, 50U);
  EXPECT_GE(seconds, 0.9);  // a quarter of a second's worth may come at once
}

TEST_F(Engine, StopsWithinASecondWhileRequestsHangAndLeavesNoOddFile) {
  script_->delay_ms = 20;
  script_->answer = [this](std::string&, int) -> Result<ObjectBytes> {
    script_->delay_ms = 3'600'000;
    return ObjectBytes{};
  };
  const auto begin = clock_.Now();
  const auto outcome = Fetch(PlanOf(300), {}, 200ms);
  EXPECT_TRUE(outcome.stopped);
  EXPECT_LT(clock_.Now() - begin, 1200ms);
  EXPECT_LT(outcome.counts.fetched_blocks, 300U);
  EXPECT_EQ(WholeBlocksOnDisk(), static_cast<int>(outcome.counts.fetched_blocks));
}

TEST_F(Engine, SaysWhenTheMemoryBudgetIsTooSmall) {
  EngineOptions options;
  options.memory_bytes = kBlock;
  const WarmEngine engine(clock_, options);
  const auto fits = engine.CheckFits(*codec_, kBlock);
  ASSERT_FALSE(fits);
  EXPECT_THAT(fits.error().message, testing::HasSubstr("--buffer-size"));
}

}  // namespace
}  // namespace prewarm::agent
