#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "agent/warm/concurrency.h"
#include "agent/warm/request_window.h"
#include "agent/warm/retry_policy.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

// A link that gives each request `per_request` up to `capacity`, and less beyond `comfortable`.
double LinkRate(std::size_t requests, double per_request, double capacity) {
  return std::min(static_cast<double>(requests) * per_request, capacity);
}

TEST(Concurrency, GrowsUntilALongFatLinkIsFull) {
  ConcurrencyController controller({.initial = 8, .maximum = 64});
  for (int window = 0; window < 60; ++window) {
    controller.OnWindow(LinkRate(controller.target(), 25e6, 1e9));
  }
  EXPECT_GE(controller.target(), 36U);
  EXPECT_LE(controller.target(), 48U);
}

TEST(Concurrency, StaysSmallOnALinkThatFewRequestsFill) {
  ConcurrencyController controller({.initial = 8, .maximum = 64});
  for (int window = 0; window < 200; ++window) {
    controller.OnWindow(LinkRate(controller.target(), 400e6, 1e9));
  }
  EXPECT_LE(controller.target(), 5U);
}

TEST(Concurrency, NeverExceedsItsMaximum) {
  ConcurrencyController controller({.initial = 8, .maximum = 5});
  for (int window = 0; window < 50; ++window) {
    ASSERT_LE(controller.target(), 5U);
    controller.OnWindow(1e6 * (window + 1));
  }
}

TEST(RequestWindow, OpensWithEachSuccessUntilTheStorePushesBack) {
  SteadyTime now{};
  RequestWindow window;
  for (int i = 0; i < 92; ++i) window.OnSuccess();
  EXPECT_EQ(window.size(), 100U);
  for (int i = 0; i < 100; ++i) window.OnPushback(now);  // all that were in flight, at once
  EXPECT_EQ(window.size(), 50U);
  for (int i = 0; i < 51; ++i) window.OnSuccess();  // one round trip of all
  EXPECT_EQ(window.size(), 51U);
}

TEST(RequestWindow, HalvesAtEachPushbackAndNeverReachesZero) {
  SteadyTime now{};
  RequestWindow window;
  window.OnPushback(now);
  EXPECT_EQ(window.size(), 4U);
  for (int i = 0; i < 10; ++i) window.OnPushback(now += 1s);
  EXPECT_EQ(window.size(), 1U);
}

TEST(RetryBudget, KeepsRetriesToATenthWhileSomeRequestsFail) {
  SteadyTime now{};
  RetryBudget budget(now);
  int retries = 0;
  // Half of all requests fail for ever: 10,000 successes, and a retry asked for after each.
  for (int i = 0; i < 10'000; ++i) {
    now += 1ms;
    budget.OnSuccess(false);
    if (budget.TryTake(now)) ++retries;
  }
  EXPECT_LE(retries, 1010 + 10);
}

TEST(RetryBudget, TricklesWhileTheStoreIsDownAndGivesTokensBackAfterwards) {
  SteadyTime now{};
  RetryBudget budget(now);
  int probes = 0;
  for (int i = 0; i < 600; ++i) {
    now += 100ms;
    if (budget.TryTake(now)) ++probes;
  }
  EXPECT_LE(probes, 10 + 31);  // what was saved up, and one each two seconds
  EXPECT_GE(probes, 30);
  now += 2s;
  ASSERT_TRUE(budget.TryTake(now));
  budget.OnSuccess(true);
  EXPECT_TRUE(budget.TryTake(now));
}

TEST(RetryPolicy, KnowsWhatEachKindOfFailureDeserves) {
  const auto after = [](ErrorCode code, Reason reason, Attempt attempt = {}) {
    return StepAfterFetch(Fail(code, "", reason), attempt);
  };
  EXPECT_EQ(after(ErrorCode::kUnavailable, Reason::kThrottled), NextStep::kRetry);
  EXPECT_EQ(after(ErrorCode::kTimeout, Reason::kTimeout), NextStep::kRetry);
  EXPECT_EQ(after(ErrorCode::kUnavailable, Reason::kServerError, {.number = 10}), NextStep::kFail);
  EXPECT_EQ(after(ErrorCode::kCorrupt, Reason::kChecksumMismatch), NextStep::kRetryFresh);
  EXPECT_EQ(after(ErrorCode::kCorrupt, Reason::kChecksumMismatch,
                  {.number = 2, .fresh_retry_used = true}),
            NextStep::kFail);
  EXPECT_EQ(after(ErrorCode::kCorrupt, Reason::kNoChecksum), NextStep::kFail);
  EXPECT_EQ(after(ErrorCode::kNotFound, Reason::kNotFound), NextStep::kStale);
  EXPECT_EQ(after(ErrorCode::kNotFound, Reason::kUnspecified), NextStep::kAbort);
  EXPECT_EQ(after(ErrorCode::kPermission, Reason::kAccessDenied), NextStep::kFail);

  const auto after_store = [](ErrorCode code, Reason reason) {
    return StepAfterStore(Fail(code, "", reason));
  };
  EXPECT_EQ(after_store(ErrorCode::kNoSpace, Reason::kNoInodes), NextStep::kAbort);
  EXPECT_EQ(after_store(ErrorCode::kPermission, Reason::kReadOnly), NextStep::kAbort);
  EXPECT_EQ(after_store(ErrorCode::kConflict, Reason::kCacheDirectoryGone), NextStep::kAbort);
  EXPECT_EQ(after_store(ErrorCode::kConflict, Reason::kForeignFile), NextStep::kFail);
  EXPECT_EQ(after_store(ErrorCode::kInternal, Reason::kDiskError), NextStep::kFail);
}

TEST(RunBreaker, EndsARunThatIsOnlyRefusedOrThatHasASickDisk) {
  const auto refused = Fail(ErrorCode::kPermission, "", Reason::kAccessDenied);
  RunBreaker breaker;
  for (int i = 0; i < 15; ++i) ASSERT_FALSE(breaker.OnFailure(refused));
  breaker.OnSuccess();
  for (int i = 0; i < 15; ++i) ASSERT_FALSE(breaker.OnFailure(refused));
  EXPECT_TRUE(breaker.OnFailure(refused));

  const auto sick = Fail(ErrorCode::kInternal, "", Reason::kDiskError);
  RunBreaker disk;
  EXPECT_FALSE(disk.OnFailure(sick));
  disk.OnSuccess();
  EXPECT_FALSE(disk.OnFailure(sick));
  EXPECT_TRUE(disk.OnFailure(sick));
}

TEST(RetryPolicy, PausesGrowAndStayBounded) {
  std::mt19937_64 random(1);
  Duration longest_first{};
  Duration longest_late{};
  for (int i = 0; i < 1000; ++i) {
    longest_first = std::max(longest_first, PauseBefore(1, random));
    longest_late = std::max(longest_late, PauseBefore(50, random));
  }
  EXPECT_LE(longest_first, 100ms);
  EXPECT_GT(longest_late, 2s);
  EXPECT_LE(longest_late, 5s);
}

TEST(TokenBucket, HoldsTheRateOverTime) {
  SteadyTime now{};
  TokenBucket bucket(1000, 100, now);
  Duration waited{};
  for (int i = 0; i < 100; ++i) {
    const auto pause = bucket.Take(50, now);
    now += pause;
    waited += pause;
  }
  // 5,000 tokens at 1,000/s, of which 100 were there at the beginning.
  EXPECT_NEAR(std::chrono::duration<double>(waited).count(), 4.9, 0.01);
}

TEST(TokenBucket, AnswersLaterTakersWithLongerWaits) {
  const SteadyTime now{};
  TokenBucket bucket(10, 1, now);
  EXPECT_EQ(bucket.Take(1, now), Duration::zero());
  const auto second = bucket.Take(1, now);
  const auto third = bucket.Take(1, now);
  EXPECT_GT(third, second);
  EXPECT_GT(second, Duration::zero());
}

TEST(TokenBucket, WithoutARateNobodyWaits) {
  const SteadyTime now{};
  TokenBucket bucket(0, 0, now);
  EXPECT_EQ(bucket.Take(1e12, now), Duration::zero());
}

}  // namespace
}  // namespace prewarm::agent
