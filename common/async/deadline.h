// Every await on the network has a deadline (rule C6).
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>
#include <utility>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace prewarm {

// Runs `task`; if `limit` passes first, the task is cancelled and awaited to its end, and the
// answer is kTimeout "<what> took longer than <limit>".
template <class T>
Task<Result<T>> WithDeadline(Duration limit, std::string what, Task<Result<T>> task) {
  using boost::asio::experimental::awaitable_operators::operator||;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, limit);
  auto first = co_await (std::move(task) || timer.async_wait(kAsTuple));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  if (co_await Stopping())
    co_return Fail(ErrorCode::kCancelled, what + " was cancelled", Reason::kCancelled);
  co_return Fail(
      ErrorCode::kTimeout,
      what + " took longer than " +
          std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()) +
          " ms",
      Reason::kTimeout);
}

// Waits; false if the wait was cut short by a stop, or if the stop came before it.
inline Task<bool> SleepFor(Duration duration) {
  if (co_await Stopping()) co_return false;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, duration);
  auto [error] = co_await timer.async_wait(kAsTuple);
  co_return !error;
}

}  // namespace prewarm
