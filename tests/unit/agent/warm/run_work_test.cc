// What one run does after each kind of failure, with time made by hand.
#include "agent/warm/run_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::uint32_t kBlock = 1000;

class Work : public testing::Test {
 protected:
  Work() { Plan(3); }

  void Plan(std::uint32_t blocks) {
    const juicefs::BlockRun run{juicefs::SliceId{1}, blocks * kBlock, 0, blocks};
    plan_ = *juicefs::BlockPlan::FromRuns(std::vector{run}, kBlock);
    presence_ = Presence(blocks);
    work_.emplace(plan_, presence_, FetchLimits{}, tally_, now_, 1);
  }
  BlockStart Take() {
    EXPECT_LE(work_->ReadyAt(now_), now_);
    const auto start = work_->Take(now_);
    EXPECT_TRUE(start);
    return start.value_or(BlockStart{});
  }
  void End(const BlockStart& start, const std::optional<BlockFailure>& failure = {}) {
    work_->OnRequestEnded(start, failure ? 0 : kBlock, now_);
    work_->OnBlockEnded(start, failure, now_);
  }
  static BlockFailure Failure(NextStep step, ErrorCode code = ErrorCode::kUnavailable) {
    return {Fail(code, "no luck", Reason::kServerError), step};
  }

  SteadyTime now_{};
  juicefs::BlockPlan plan_;
  Presence presence_{0};
  Tally tally_;
  std::optional<RunWork> work_;
};

TEST_F(Work, EndsWhenEveryBlockHasEnded) {
  presence_.Set(1);
  work_.emplace(plan_, presence_, FetchLimits{}, tally_, now_, 1);
  const auto first = Take();
  const auto last = Take();
  EXPECT_EQ(last.number, 2U);
  EXPECT_EQ(work_->ReadyAt(now_), SteadyTime::max());
  EXPECT_FALSE(work_->Take(now_));
  End(last);
  EXPECT_FALSE(work_->ended());
  End(first);
  EXPECT_TRUE(work_->ended());
}

TEST_F(Work, TriesAgainAfterAPauseAndTheOtherBlocksMeanwhile) {
  End(Take(), Failure(NextStep::kRetry));
  EXPECT_EQ(Take().number, 1U);
  EXPECT_EQ(Take().number, 2U);
  const auto due = work_->ReadyAt(now_);
  EXPECT_GT(due, now_);
  EXPECT_LE(due, now_ + 100ms);
  now_ = due;
  const auto again = Take();
  EXPECT_EQ(again.number, 0U);
  EXPECT_EQ(again.attempt.number, 2U);
  EXPECT_EQ(tally_.Read().retries, 1U);
}

TEST_F(Work, AsksAtOnceAndOnlyOnceForAFreshConnection) {
  End(Take(), Failure(NextStep::kRetryFresh, ErrorCode::kCorrupt));
  const auto again = Take();
  EXPECT_EQ(again.number, 0U);
  EXPECT_TRUE(again.attempt.fresh_retry_used);
}

TEST_F(Work, ABlockWhosePatienceIsOverFailsAloneIfOthersSucceeded) {
  const auto first = Take();
  const auto second = Take();
  now_ += 1s;
  End(second);
  now_ += 60s;
  End(first, Failure(NextStep::kRetry));
  EXPECT_EQ(tally_.Read().failed_blocks, 1U);
  EXPECT_FALSE(work_->abort_reason());
  EXPECT_EQ(Take().number, 2U);
}

TEST_F(Work, ABlockWhosePatienceIsOverEndsTheRunIfNobodyGotAnything) {
  const auto first = Take();
  const auto second = Take();
  End(second, Failure(NextStep::kRetry));
  now_ += 60s;
  End(first, Failure(NextStep::kRetry));
  ASSERT_TRUE(work_->abort_reason());
  EXPECT_EQ(work_->abort_reason()->message, "no luck");
  EXPECT_TRUE(work_->ended());
}

TEST_F(Work, WithoutARetryTokenABlockWaitsAndGivesUpInTheEnd) {
  Plan(RunWork::kMaxWaiting + 1);
  int retries = 0;
  int begun = 0;
  while (!work_->ended() && now_ < SteadyTime{} + 120s) {
    const auto at = work_->ReadyAt(now_);
    ASSERT_NE(at, SteadyTime::max());
    now_ = std::max(now_, at);
    const auto start = work_->Take(now_);
    if (!start) continue;
    ++(start->attempt.number > 1 ? retries : begun);
    End(*start, Failure(NextStep::kRetry));
  }
  EXPECT_EQ(begun, static_cast<int>(RunWork::kMaxWaiting));
  EXPECT_LE(retries, 10 + 31);  // what was saved up, and one each two seconds
  EXPECT_TRUE(work_->abort_reason());
}

TEST_F(Work, HandsBackWhatTheStoreDoesNotHave) {
  End(Take(), Failure(NextStep::kStale, ErrorCode::kNotFound));
  EXPECT_EQ(tally_.TakeStale(), std::vector<std::uint64_t>{0});
  EXPECT_EQ(tally_.Read().failed_blocks, 0U);
}

TEST_F(Work, ClosedItBeginsNothingAndEndsWithWhatIsUnderWay) {
  const auto first = Take();
  End(Take(), Failure(NextStep::kRetry));
  work_->Close();
  EXPECT_EQ(work_->ReadyAt(now_ + 1h), SteadyTime::max());
  EXPECT_FALSE(work_->Take(now_ + 1h));
  EXPECT_FALSE(work_->ended());
  End(first, Failure(NextStep::kRetry));
  EXPECT_TRUE(work_->ended());
  EXPECT_EQ(tally_.Read().failed_blocks, 0U);
}

}  // namespace
}  // namespace prewarm::agent
