// Several ways to the same goal at once: the first that works is the answer, the others are
// stopped. A dead server among several thereby costs no time.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/result.h"

namespace prewarm::metadata {

template <class T>
class FirstSuccess {
 public:
  explicit FirstSuccess(const boost::asio::any_io_executor& executor)
      : group_(executor), wake_(executor) {}

  // Await nothing between the first Start and Wait.
  void Start(std::string name, Task<Result<T>> attempt) {
    ++unfinished_;
    group_.Spawn(std::move(name), Run(*this, std::move(attempt)));
  }

  // If all fail: an error that no repetition cures goes before those that may pass.
  Task<Result<T>> Wait() {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    bool stopping = false;
    while (!success_ && unfinished_ > 0 && !stopping) {
      wake_.expires_at(boost::asio::steady_timer::time_point::max());
      co_await wake_.async_wait(kAsTuple);
      stopping = co_await Stopping();
    }
    group_.Stop();
    co_await group_.Join();
    if (success_) co_return *std::move(success_);
    if (stopping) co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    for (const Error& error : errors_) {
      if (!IsRetryable(error.code)) co_return error;
    }
    if (errors_.empty()) co_return Fail(ErrorCode::kUnavailable, "no server to ask");
    co_return errors_.front();
  }

 private:
  static Task<void> Run(FirstSuccess& race, Task<Result<T>> attempt) {
    auto result = co_await std::move(attempt);
    --race.unfinished_;
    if (!result) {
      race.errors_.push_back(std::move(result).error());
    } else if (!race.success_) {
      race.success_ = *std::move(result);
    }
    race.wake_.cancel();
  }

  TaskGroup group_;
  boost::asio::steady_timer wake_;  // never expires: cancelled by whoever finishes
  std::size_t unfinished_ = 0;
  std::optional<T> success_;
  std::vector<Error> errors_;
};

}  // namespace prewarm::metadata
