// Wakes coroutines that wait for something to change. There is no memory: look at the condition,
// then wait, with no suspension in between. Lives on one executor.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "common/async/task.h"
#include "common/base/clock.h"

namespace prewarm {

class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor)
      : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

  void Notify() { timer_.cancel(); }

  // Until the next Notify, or the stop of the waiting task; false after a stop.
  Task<bool> Wait() {
    if (co_await Stopping()) co_return false;
    co_await timer_.async_wait(kAsTuple);
    co_return !co_await Stopping();
  }

  // The same, or until `limit` has passed; false after a stop.
  Task<bool> WaitFor(Duration limit);

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace prewarm
