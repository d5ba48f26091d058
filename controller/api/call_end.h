// When a call is over although nobody has answered it: its time has passed, or its caller has gone.
// Work for the call is raced against that, so that it stops when nobody waits for it any more.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "common/async/task.h"
#include "common/base/clock.h"

namespace prewarm::controller {

class CallEnd : public std::enable_shared_from_this<CallEnd> {
 public:
  CallEnd(boost::asio::any_io_executor executor, Duration limit)
      : executor_(std::move(executor)), timer_(executor_, limit) {}

  // From any thread; everything else on the executor.
  void CallerIsGone() {
    boost::asio::post(executor_, [self = shared_from_this()] {
      self->gone_ = true;
      self->timer_.expires_at(boost::asio::steady_timer::time_point::min());
    });
  }
  [[nodiscard]] bool gone() const { return gone_; }

  // What `work` returns; absent if the call was over, or its task was stopped, before that. Then
  // `work` was cancelled and has ended.
  template <class T>
  Task<std::optional<T>> Before(Task<T> work) {
    using boost::asio::experimental::awaitable_operators::operator||;
    const auto self = shared_from_this();
    if (gone_ || co_await Stopping()) co_return std::nullopt;
    auto first = co_await (ErrorsAsValues(std::move(work)) || timer_.async_wait(kAsTuple));
    if (first.index() != 0) co_return std::nullopt;
    co_return std::get<0>(std::move(first));
  }

  // Waits; shorter if the call is over or its task is stopped.
  Task<void> Pause(Duration duration) {
    boost::asio::steady_timer timer(executor_, duration);
    co_await Before(timer.async_wait(kAsTuple));
  }

 private:
  // Each side of || is a coroutine thread of its own, which by default would meet its cancellation
  // as an exception.
  template <class T>
  static Task<T> ErrorsAsValues(Task<T> work) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_return co_await std::move(work);
  }

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  bool gone_ = false;
};

}  // namespace prewarm::controller
