// Which block starts next, decided without threads and with time made by hand.
#include "agent/warm/run_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::uint32_t kBlock = 1000;

juicefs::BlockPlan PlanOf(std::uint32_t blocks, std::uint64_t slice) {
  const juicefs::BlockRun run{juicefs::SliceId{slice}, blocks * kBlock, 0, blocks};
  return *juicefs::BlockPlan::FromRuns(std::vector{run}, kBlock);
}

BlockFailure Failure(ErrorCode code, Reason reason, NextStep step) {
  return {Fail(code, "no luck", reason), step};
}

// A run of `blocks` blocks of kBlock bytes.
struct TestRun {
  TestRun(std::uint32_t blocks, SteadyTime now, FetchLimits limits = {})
      : plan(PlanOf(blocks, 1)), presence(blocks), work(plan, presence, limits, tally, now, 1) {}

  juicefs::BlockPlan plan;
  Presence presence;
  Tally tally;
  RunWork work;
};

RunRank Priority(std::int32_t priority) { return {priority, std::nullopt, {}}; }

class Queue : public testing::Test {
 protected:
  // Whose block starts next; nullptr if none may.
  const RunWork* Next() {
    auto grant = queue_.Next(now_);
    if (!grant) return nullptr;
    under_way_.push_back(*grant);
    return grant->work;
  }
  // Starts what may start; how many blocks of each run that were.
  std::map<const RunWork*, int> StartAll() {
    std::map<const RunWork*, int> started;
    while (const auto* work = Next()) ++started[work];
    return started;
  }
  void End(const RunQueue::Grant& grant, const std::optional<BlockFailure>& failure = {}) {
    queue_.RequestEnded(grant, failure ? 0 : grant.start.block.size, now_);
    queue_.BlockEnded(grant, failure ? 0 : grant.start.block.size, now_);
    grant.work->OnBlockEnded(grant.start, failure, now_);
  }
  void EndAll(const std::optional<BlockFailure>& failure = {}) {
    for (const auto& grant : std::exchange(under_way_, {})) End(grant, failure);
  }

  SteadyTime now_{};
  RunQueue queue_{{.memory_bytes = 10 * kBlock, .blocks = 100, .requests = 4}, now_};
  std::vector<RunQueue::Grant> under_way_;
};

TEST(RunRank, PutsPriorityBeforeDeadlineBeforeAge) {
  const WallTime early{1s};
  const WallTime late{2s};
  EXPECT_TRUE(Before({2, std::nullopt, late}, {1, early, early}));
  EXPECT_TRUE(Before({1, early, late}, {1, late, early}));
  EXPECT_TRUE(Before({1, late, late}, {1, std::nullopt, early}));
  EXPECT_TRUE(Before({1, early, early}, {1, early, late}));
  EXPECT_FALSE(Before({1, early, early}, {1, early, early}));
}

TEST_F(Queue, GivesEverythingThatComesFreeToTheHighestRun) {
  TestRun low(100, now_);
  TestRun high(3, now_);
  queue_.Add(low.work, Priority(0), kBlock);
  EXPECT_EQ(StartAll()[&low.work], 4);
  queue_.Add(high.work, Priority(1), kBlock);
  EXPECT_EQ(Next(), nullptr);
  EndAll();
  auto started = StartAll();
  EXPECT_EQ(started[&high.work], 3);
  EXPECT_EQ(started[&low.work], 1);  // nothing is left of the high one
}

TEST_F(Queue, ServesRunsOfOneRankInTheOrderOfTheirArrival) {
  TestRun first(100, now_);
  TestRun second(100, now_);
  TestRun older(100, now_);
  queue_.Add(first.work, {0, std::nullopt, WallTime{5s}}, kBlock);
  queue_.Add(second.work, {0, std::nullopt, WallTime{5s}}, kBlock);
  EXPECT_EQ(Next(), &first.work);
  queue_.Add(older.work, {0, std::nullopt, WallTime{4s}}, kBlock);
  EXPECT_EQ(Next(), &older.work);
  queue_.Remove(older.work);
  EXPECT_EQ(Next(), &first.work);
}

TEST_F(Queue, FollowsAChangeOfRankAtTheNextBlock) {
  TestRun a(100, now_);
  TestRun b(100, now_);
  queue_.Add(a.work, Priority(2), kBlock);
  queue_.Add(b.work, Priority(1), kBlock);
  EXPECT_EQ(Next(), &a.work);
  queue_.SetRank(b.work, Priority(3));
  EXPECT_EQ(Next(), &b.work);
}

TEST_F(Queue, StartsABlockOnlyWhileNoBytesAreOwed) {
  TestRun low(100, now_);
  TestRun high(100, now_);
  queue_.SetBandwidth(kBlock, now_);
  queue_.Add(low.work, Priority(0), kBlock);
  EXPECT_EQ(Next(), &low.work);
  EXPECT_EQ(Next(), nullptr);
  EXPECT_EQ(queue_.wake_at(), now_ + 1s);
  EXPECT_TRUE(queue_.TakeWasLimited());
  EXPECT_FALSE(queue_.TakeWasLimited());
  queue_.Add(high.work, Priority(1), kBlock);  // arrives while the low one's block is owed
  EXPECT_EQ(Next(), nullptr);
  now_ += 1s;
  EXPECT_EQ(Next(), &high.work);
  EXPECT_EQ(Next(), nullptr);
}

TEST_F(Queue, GivesBackTheBytesThatDidNotCome) {
  TestRun failing(100, now_);
  queue_.SetBandwidth(kBlock, now_);
  queue_.Add(failing.work, Priority(0), kBlock);
  ASSERT_EQ(Next(), &failing.work);
  ASSERT_EQ(Next(), nullptr);
  EndAll(Failure(ErrorCode::kUnavailable, Reason::kServerError, NextStep::kRetry));
  EXPECT_EQ(Next(), &failing.work);
}

TEST_F(Queue, HoldsTheDiskWriteLimitBesideTheBandwidth) {
  TestRun run(100, now_);
  queue_.SetBandwidth(100 * kBlock, now_);
  queue_.SetDiskWrites(2 * kBlock, now_);
  queue_.Add(run.work, Priority(0), kBlock);
  EXPECT_EQ(StartAll()[&run.work], 1);
  EXPECT_EQ(queue_.wake_at(), now_ + 500ms);
  queue_.SetDiskWrites(0, now_);
  now_ += 100ms;
  EXPECT_EQ(StartAll()[&run.work], 3);
}

TEST_F(Queue, ARunsOwnRateHoldsNobodyElseUp) {
  FetchLimits slow;
  slow.bytes_per_second = kBlock;
  TestRun high(100, now_, slow);
  TestRun low(100, now_);
  queue_.Add(high.work, Priority(1), kBlock);
  queue_.Add(low.work, Priority(0), kBlock);
  auto started = StartAll();
  EXPECT_EQ(started[&high.work], 1);
  EXPECT_EQ(started[&low.work], 3);
}

TEST_F(Queue, ARunThatWaitsToRetryHoldsNobodyUpAndBeginsOnlySoMuch) {
  TestRun sick(1000, now_);
  TestRun low(1000, now_);
  queue_.Add(sick.work, Priority(1), kBlock);
  queue_.Add(low.work, Priority(0), kBlock);
  int of_sick = 0;
  int of_low = 0;
  for (int round = 0; round < 100; ++round) {
    for (const auto& [work, count] : StartAll()) (work == &sick.work ? of_sick : of_low) += count;
    for (const auto& grant : std::exchange(under_way_, {})) {
      const bool fails = grant.work == &sick.work;
      End(grant, fails ? std::optional(Failure(ErrorCode::kUnavailable, Reason::kServerError,
                                               NextStep::kRetry))
                       : std::nullopt);
    }
  }
  EXPECT_EQ(of_sick, static_cast<int>(RunWork::kMaxWaiting));
  EXPECT_EQ(of_low, 400 - of_sick);
  now_ += 10s;  // the tokens that were there, and no more
  for (const auto& [work, count] : StartAll()) of_low = work == &sick.work ? count : of_low;
  EXPECT_EQ(of_low, 4);
}

TEST_F(Queue, PushbackOfOneStoreNarrowsOnlyItsOwnRun) {
  queue_.SetRequests(64);
  TestRun refused(1000, now_);
  TestRun other(1000, now_);
  queue_.Add(refused.work, Priority(1), 1);
  queue_.Add(other.work, Priority(0), 1);
  ASSERT_EQ(StartAll()[&refused.work], 8);  // each may begin with so many
  for (int i = 0; i < 3; ++i) {
    for (const auto& grant : std::exchange(under_way_, {})) {
      const bool fails = grant.work == &refused.work;
      End(grant, fails ? std::optional(
                             Failure(ErrorCode::kUnavailable, Reason::kThrottled, NextStep::kRetry))
                       : std::nullopt);
    }
    StartAll();
    now_ += 1s;
  }
  EXPECT_EQ(refused.work.window(), 1U);
  EXPECT_GT(other.work.window(), 16U);
}

TEST_F(Queue, RequestsThatHangTakeNobodysPlace) {
  TestRun hanging(100, now_);
  TestRun low(100, now_);
  queue_.Add(hanging.work, Priority(1), kBlock);
  queue_.Add(low.work, Priority(0), kBlock);
  ASSERT_EQ(StartAll()[&hanging.work], 4);
  now_ += RunWork::kHanging - 1ms;
  EXPECT_EQ(Next(), nullptr);
  now_ += 1ms;
  EXPECT_EQ(StartAll()[&low.work], 4);
  End(under_way_.front());  // it was only slow: from now on it counts, and comes first again
  EXPECT_EQ(Next(), nullptr);
  for (std::size_t i = 4; i < 8; ++i) End(under_way_[i]);
  EXPECT_EQ(Next(), &hanging.work);
}

TEST_F(Queue, ABigBlockThatWaitsForMemoryIsNotOvertakenBySmallOnes) {
  queue_.SetRequests(64);
  TestRun small(100, now_);
  TestRun big(100, now_);
  queue_.Add(small.work, Priority(0), kBlock);
  ASSERT_EQ(StartAll()[&small.work], 8);
  queue_.Add(big.work, Priority(1), 6 * kBlock);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Next(), nullptr);
    End(under_way_.back());
    under_way_.pop_back();
  }
  EXPECT_EQ(Next(), &big.work);
  EXPECT_EQ(queue_.memory_in_use(), 10U * kBlock);
}

// Random runs, ranks, endings and limits: what must hold whatever happens.
TEST(RunQueue, KeepsItsBudgetsAndItsOrderWhateverHappens) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  for (int round = 0; round < 30; ++round) {
    SteadyTime now{};
    const RunQueue::Budgets budgets{20 * kBlock, 1 + below(12), 1 + below(8)};
    RunQueue queue(budgets, now);
    if (below(2) == 0) queue.SetBandwidth(kBlock * (1 + below(100)), now);
    std::list<TestRun> runs;
    std::map<const RunWork*, std::set<std::uint64_t>> stored;
    for (std::size_t i = 0; i < 4; ++i) {
      auto& run = runs.emplace_back(static_cast<std::uint32_t>(1 + below(60)), now);
      queue.Add(run.work, Priority(static_cast<std::int32_t>(below(3))), kBlock * (1 + below(10)));
    }
    std::vector<RunQueue::Grant> requests;
    std::vector<RunQueue::Grant> blocks;
    const auto take_any = [&](std::vector<RunQueue::Grant>& from) {
      std::swap(from[below(from.size())], from.back());
      const auto grant = from.back();
      from.pop_back();
      return grant;
    };
    const auto ended = [&] {
      return std::ranges::all_of(runs, [](const TestRun& run) { return run.work.ended(); });
    };
    int steps = 0;
    for (; !ended() && steps < 1'000'000; ++steps) {
      now += std::chrono::milliseconds(below(20));
      while (const auto grant = queue.Next(now)) requests.push_back(*grant);
      ASSERT_LE(requests.size(), budgets.requests);
      ASSERT_LE(requests.size() + blocks.size(), budgets.blocks);
      std::uint64_t memory = 0;
      for (const auto* list : {&requests, &blocks}) {
        for (const auto& grant : *list) memory += grant.buffer_bytes;
      }
      ASSERT_LE(memory, budgets.memory_bytes);
      ASSERT_EQ(memory, queue.memory_in_use());
      ASSERT_GT(queue.wake_at(), now);
      if (!requests.empty() && below(2) == 0) {
        blocks.push_back(take_any(requests));
        queue.RequestEnded(blocks.back(), below(2) * kBlock, now);
      }
      if (!blocks.empty() && below(2) == 0) {
        const auto grant = take_any(blocks);
        const bool fails = below(10) == 0;
        queue.BlockEnded(grant, fails ? 0 : kBlock, now);
        std::optional<BlockFailure> failure;
        if (fails) failure = Failure(ErrorCode::kCorrupt, Reason::kWrongLength, NextStep::kRetry);
        if (!fails) {
          ASSERT_TRUE(stored[grant.work].insert(grant.start.number).second);
        }
        grant.work->OnBlockEnded(grant.start, failure, now);
      }
    }
    ASSERT_TRUE(ended()) << "after " << steps << " steps";
    for (const TestRun& run : runs) ASSERT_EQ(stored[&run.work].size(), run.plan.block_count());
    ASSERT_EQ(queue.memory_in_use(), 0U);
    ASSERT_EQ(queue.requests_in_flight(), 0U);
  }
}

}  // namespace
}  // namespace prewarm::agent
