// A thread with an event loop of its own. Everything that lives on its executor is touched by this
// thread only; other threads send it work with On().
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "common/async/task.h"

namespace prewarm {

class IoThread {
 public:
  IoThread() : work_(boost::asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  ~IoThread() { Join(); }

  // Returns when the loop has run dry: stop the task groups on it first. Sockets and timers of the
  // loop must go between this call and the destruction, which takes the loop itself.
  void Join() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

  boost::asio::io_context::executor_type executor() { return context_.get_executor(); }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

// Runs `task` on another executor and resumes the caller on its own. A stop of the caller does not
// reach the task: stop the task group that lives there.
template <class Executor, class T>
Task<T> On(Executor executor, Task<T> task) {
  co_return co_await boost::asio::co_spawn(
      executor, std::move(task),
      boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot{},
                                          boost::asio::use_awaitable));
}

}  // namespace prewarm
