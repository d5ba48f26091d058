// The only way to start a coroutine (rule C5). A group counts what runs in it; Stop() closes the
// door and asks everything inside to end; Join() returns when the last one is gone.
// Not thread-safe: a group lives on one single-threaded executor, and every call is made there or
// while it runs nothing. An exception that escapes from a task ends the process with its name.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <string>

#include "common/async/task.h"

namespace prewarm {

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();  // nothing may run any more

  // False, and the task is dropped unstarted, after Stop().
  bool Spawn(std::string name, Task<void> task);
  void Stop();
  Task<void> Join();
  [[nodiscard]] std::size_t running() const { return running_.size(); }
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  boost::asio::any_io_executor executor_;
  std::list<boost::asio::cancellation_signal> running_;
  boost::asio::steady_timer idle_;
  bool stopped_ = false;
};

}  // namespace prewarm
