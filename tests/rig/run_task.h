// Runs a coroutine to its end on a loop of the test's own and hands out what it returned.
#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

#include "common/async/task_group.h"

namespace prewarm::rig {

template <class T>
Task<void> KeepResult(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

template <class T>
T RunTask(boost::asio::io_context& loop, Task<T> task) {
  std::optional<T> result;
  TaskGroup group(loop.get_executor());
  group.Spawn("test", KeepResult(std::move(task), result));
  loop.restart();
  loop.run();
  return *std::move(result);
}

}  // namespace prewarm::rig
