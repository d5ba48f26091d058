// Says once, from any thread, that something has ended. Waited for on one executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "common/async/task.h"

namespace prewarm::agent {

class EndSignal : public std::enable_shared_from_this<EndSignal> {
 public:
  explicit EndSignal(const boost::asio::any_io_executor& executor)
      : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

  void Set() {
    boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
      self->set_ = true;
      self->timer_.cancel();
    });
  }
  // True when it was set; false if a stop of the waiting task came first. May be called again.
  Task<bool> Wait() {
    if (!set_) co_await timer_.async_wait(kAsTuple);
    co_return set_;
  }

 private:
  boost::asio::steady_timer timer_;
  bool set_ = false;
};

}  // namespace prewarm::agent
