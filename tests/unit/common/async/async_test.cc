#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <thread>

#include "common/async/deadline.h"
#include "common/async/io_thread.h"
#include "common/async/offload.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"

namespace prewarm {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

// Runs `task` to its end on a fresh loop.
void RunToEnd(boost::asio::io_context& loop, Task<void> task) {
  TaskGroup group(loop.get_executor());
  group.Spawn("test", std::move(task));
  loop.run();
}

Task<Result<int>> SleepThen(Duration duration, int value) {
  if (!co_await SleepFor(duration)) co_return Fail(ErrorCode::kCancelled, "stopped");
  co_return value;
}

TEST(TaskGroup, StopEndsWhatWaitsAndRefusesWhatComes) {
  boost::asio::io_context loop;
  TaskGroup group(loop.get_executor());
  bool completed_sleep = true;
  bool joined = false;
  auto sleeper = [](bool& out) -> Task<void> { out = co_await SleepFor(1h); };
  auto driver = [](TaskGroup& inner, bool& out) -> Task<void> {
    inner.Stop();
    co_await inner.Join();
    out = true;
  };
  ASSERT_TRUE(group.Spawn("sleeper", sleeper(completed_sleep)));
  TaskGroup outer(loop.get_executor());
  ASSERT_TRUE(outer.Spawn("driver", driver(group, joined)));
  loop.run();
  EXPECT_FALSE(completed_sleep);
  EXPECT_TRUE(joined);
  EXPECT_FALSE(group.Spawn("late", sleeper(completed_sleep)));
}

// With nobody in the loop a stop is only on its way to the task, and what wakes the task may be
// ahead of it.
TEST(TaskGroup, StopMayFindATaskThatIsAboutToEnd) {
  boost::asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Signal woken(loop.get_executor());
  int ended = 0;
  auto waiter = [](Signal& signal, int& out) -> Task<void> {
    co_await signal.Wait();
    ++out;
  };
  ASSERT_TRUE(group.Spawn("first", waiter(woken, ended)));
  ASSERT_TRUE(group.Spawn("second", waiter(woken, ended)));
  loop.poll();
  ASSERT_EQ(group.running(), 2U);
  woken.Notify();
  group.Stop();
  loop.restart();
  loop.run();
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(group.running(), 0U);
}

TEST(SleepFor, DoesNotBeginAfterAStop) {
  boost::asio::io_context loop;
  TaskGroup group(loop.get_executor());
  int full_sleeps = 0;
  auto sleeper = [](int& out) -> Task<void> {
    for (int i = 0; i < 3; ++i) out += (co_await SleepFor(1h)) ? 1 : 0;
  };
  auto driver = [](TaskGroup& inner) -> Task<void> {
    co_await SleepFor(Duration(1ms));
    inner.Stop();
    co_await inner.Join();
  };
  ASSERT_TRUE(group.Spawn("sleeper", sleeper(full_sleeps)));
  TaskGroup outer(loop.get_executor());
  ASSERT_TRUE(outer.Spawn("driver", driver(group)));
  EXPECT_EQ(loop.run_for(std::chrono::seconds(10)) > 0 && loop.stopped(), true);
  EXPECT_EQ(full_sleeps, 0);
}

TEST(Deadline, AnswersTimeoutWhenTheTaskIsTooSlow) {
  boost::asio::io_context loop;
  Result<int> result = 0;
  auto body = [](Result<int>& out) -> Task<void> {
    out = co_await WithDeadline(Duration(5ms), "sleeping", SleepThen(1h, 1));
  };
  RunToEnd(loop, body(result));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
}

TEST(Deadline, PassesTheResultOfAFastTask) {
  boost::asio::io_context loop;
  Result<int> result = 0;
  auto body = [](Result<int>& out) -> Task<void> {
    out = co_await WithDeadline(Duration(1h), "sleeping", SleepThen(1ms, 7));
  };
  RunToEnd(loop, body(result));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 7);
}

TEST(Offload, RunsOnThePoolAndResumesAtHome) {
  boost::asio::io_context loop;
  boost::asio::thread_pool pool(1);
  std::thread::id worked;
  std::thread::id resumed;
  auto body = [](boost::asio::thread_pool& p, std::thread::id& w,
                 std::thread::id& r) -> Task<void> {
    w = co_await Offload(p, [] { return std::this_thread::get_id(); });
    r = std::this_thread::get_id();
  };
  RunToEnd(loop, body(pool, worked, resumed));
  EXPECT_NE(worked, std::this_thread::get_id());
  EXPECT_EQ(resumed, std::this_thread::get_id());
}

TEST(Offload, KeepsItsTaskAliveThroughAStop) {
  boost::asio::io_context loop;
  boost::asio::thread_pool pool(1);
  TaskGroup group(loop.get_executor());
  std::promise<void> started;
  std::promise<void> release;
  int result = 0;
  bool stopping = false;
  auto body = [](boost::asio::thread_pool& p, std::promise<void>& s, std::promise<void>& r,
                 int& out, bool& saw_stop) -> Task<void> {
    out = co_await Offload(p, [&s, &r] {
      s.set_value();
      r.get_future().wait();
      return 5;
    });
    saw_stop = co_await Stopping();
  };
  group.Spawn("blocking", body(pool, started, release, result, stopping));
  std::thread stopper([&] {
    started.get_future().wait();
    boost::asio::post(loop, [&] {
      group.Stop();
      release.set_value();
    });
  });
  loop.run();
  stopper.join();
  EXPECT_EQ(result, 5);
  EXPECT_TRUE(stopping);
}

TEST(On, RunsOnTheOtherThreadAndComesBack) {
  boost::asio::io_context loop;
  IoThread other;
  std::thread::id ran;
  std::thread::id resumed;
  auto where = []() -> Task<std::thread::id> { co_return std::this_thread::get_id(); };
  auto body = [&where](IoThread& thread, std::thread::id& w, std::thread::id& r) -> Task<void> {
    w = co_await On(thread.executor(), where());
    r = std::this_thread::get_id();
  };
  RunToEnd(loop, body(other, ran, resumed));
  EXPECT_NE(ran, std::this_thread::get_id());
  EXPECT_EQ(resumed, std::this_thread::get_id());
}

}  // namespace
}  // namespace prewarm
