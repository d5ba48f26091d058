#include "common/async/signal.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace prewarm {

Task<bool> Signal::WaitFor(Duration limit) {
  using boost::asio::experimental::awaitable_operators::operator||;
  if (co_await Stopping()) co_return false;
  boost::asio::steady_timer deadline(timer_.get_executor(), limit);
  co_await (timer_.async_wait(kAsTuple) || deadline.async_wait(kAsTuple));
  co_return !co_await Stopping();
}

}  // namespace prewarm
