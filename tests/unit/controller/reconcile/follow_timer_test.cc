#include "controller/reconcile/follow_timer.h"

#include <gtest/gtest.h>

namespace prewarm::controller {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr SteadyTime kStart{std::chrono::hours(1)};

// Read once, in no time, at kStart.
FollowTimer ReadOnce(Duration took = 0ms) {
  FollowTimer timer;
  timer.Began(kStart - took);
  timer.Ended(kStart, false);
  return timer;
}

TEST(FollowTimer, ReadsAtOnceAndThenNotBeforeTheSafetyTime) {
  EXPECT_LE(FollowTimer().DueAt({}, true), kStart);
  EXPECT_LE(FollowTimer().DueAt({}, false), kStart);
  EXPECT_EQ(ReadOnce().DueAt({}, true), kStart + 60s);
}

TEST(FollowTimer, WaitsUntilChangesAreOverButNotForever) {
  auto timer = ReadOnce();
  timer.Changed(kStart + 5000ms);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 5200ms);
  timer.Changed(kStart + 5150ms);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 5350ms);
  for (auto at = kStart + 5300ms; at < kStart + 60s; at += 150ms) timer.Changed(at);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 6000ms) << "a second after the first";
}

TEST(FollowTimer, ReadsABusyTreeOnceASecond) {
  // An upload that changes something every 100 ms, for a minute; readings take 20 ms.
  FollowTimer timer;
  int readings = 0;
  for (auto now = kStart; now < kStart + 60s; now += 10ms) {
    if ((now - kStart) % 100ms == 0ms) timer.Changed(now);
    if (timer.DueAt({}, true) > now) continue;
    timer.Began(now);
    timer.Ended(now + 20ms, false);
    ++readings;
  }
  EXPECT_GE(readings, 50);
  EXPECT_LE(readings, 61);
}

TEST(FollowTimer, TakesAChangeDuringAReadingForTheNext) {
  FollowTimer timer;
  timer.Changed(kStart - 100ms);
  timer.Began(kStart);
  timer.Changed(kStart + 10ms);
  timer.Ended(kStart + 20ms, false);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 210ms);
  timer.Began(kStart + 210ms);
  timer.Ended(kStart + 220ms, false);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 220ms + 60s) << "nothing is left of it";
}

TEST(FollowTimer, PollsWhereNobodyTells) {
  const FollowPace pace{.poll = 2s};
  auto timer = ReadOnce();
  EXPECT_EQ(timer.DueAt(pace, false), kStart + 2s);
  timer.Changed(kStart + 100ms);  // of a time when it was told
  EXPECT_EQ(timer.DueAt(pace, false), kStart + 2s);
}

TEST(FollowTimer, DoesNotKeepTheServerBusy) {
  EXPECT_EQ(ReadOnce(500ms).DueAt({}, false), kStart + 10s) << "a twentieth of the time";
  EXPECT_EQ(ReadOnce(10s).DueAt({}, true), kStart + 200s);
  auto timer = ReadOnce(3s);
  timer.Changed(kStart + 1s);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 12s) << "a fifth of the time, while it changes";
  timer = ReadOnce(3s);
  timer.Changed(kStart + 30s);
  EXPECT_EQ(timer.DueAt({}, true), kStart + 30s + 200ms) << "at once after a long rest";
}

TEST(FollowTimer, TriesAgainWhatFailedWithoutBeingTold) {
  FollowTimer timer;
  timer.Began(kStart);
  timer.Ended(kStart + 10ms, true);
  EXPECT_EQ(timer.DueAt({.poll = 2s}, true), kStart + 10ms + 2s);
}

}  // namespace
}  // namespace prewarm::controller
