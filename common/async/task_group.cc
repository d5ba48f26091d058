#include "common/async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "common/base/check.h"

namespace prewarm {
namespace {

namespace asio = boost::asio;

// Errors are values here: a stop must reach the task as an error code of the operation it waits in,
// not as an exception at its next co_await.
Task<void> Quietly(Task<void> task) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

[[noreturn]] void DieOf(const std::string& name, const std::exception_ptr& escaped) {
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "task \"%s\" threw: %s\n", name.c_str(), e.what());
  } catch (...) {
    std::fprintf(stderr, "task \"%s\" threw\n", name.c_str());
  }
  std::abort();
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : executor_(std::move(executor)), idle_(executor_, asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() { PREWARM_CHECK(running_.empty(), "a task outlives its group"); }

bool TaskGroup::Spawn(std::string name, Task<void> task) {
  if (stopped_) return false;
  auto signal = running_.emplace(running_.end());
  asio::co_spawn(
      executor_, Quietly(std::move(task)),
      asio::bind_cancellation_slot(
          signal->slot(), [this, signal, name = std::move(name)](const std::exception_ptr& e) {
            if (e) DieOf(name, e);
            // A stop that was asked for with nobody in the loop is on its way to this signal.
            std::list<asio::cancellation_signal> ended;
            ended.splice(ended.end(), running_, signal);
            asio::post(executor_, [ended = std::move(ended)] {});
            if (running_.empty()) idle_.cancel();
          }));
  return true;
}

void TaskGroup::Stop() {
  stopped_ = true;
  // A task may end inside emit() and take its list node with it.
  for (auto it = running_.begin(); it != running_.end();) {
    auto next = std::next(it);
    it->emit(asio::cancellation_type::terminal);
    it = next;
  }
}

Task<void> TaskGroup::Join() {
  while (!running_.empty()) {
    idle_.expires_at(asio::steady_timer::time_point::max());
    co_await idle_.async_wait(kAsTuple);
  }
}

}  // namespace prewarm
