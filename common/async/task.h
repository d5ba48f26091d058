// Task<T> is the coroutine type of the whole project; see CONTRIBUTING.md for the rules C1-C10 that
// keep coroutines safe. Errors are values: awaiting a Task never throws by design, and completion
// tokens are `kAsTuple`, so that an error code comes back instead of an exception.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace prewarm {

template <class T>
using Task = boost::asio::awaitable<T>;

inline constexpr auto kAsTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

// True once the task group of the running coroutine was stopped. Loops ask before they start
// something new: an operation begun after the stop would not notice it.
inline Task<bool> Stopping() {
  auto state = co_await boost::asio::this_coro::cancellation_state;
  co_return state.cancelled() != boost::asio::cancellation_type::none;
}

}  // namespace prewarm
