// Blocking work away from the I/O threads (rule C8): Offload(pool, f) runs f() on the pool and
// resumes the coroutine on its own executor with the result. f must not throw; everything it refers
// to stays alive because the caller's frame waits. A stop does not interrupt f.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <type_traits>
#include <utility>

#include "common/async/task.h"

namespace prewarm {

template <class Function>
Task<std::invoke_result_t<Function&>> Offload(boost::asio::thread_pool& pool, Function function) {
  namespace asio = boost::asio;
  using T = std::invoke_result_t<Function&>;
  static_assert(!std::is_void_v<T>, "return a Status: blocking work can fail");
  auto initiate = [&pool, &function](auto handler) {
    auto home = asio::get_associated_executor(handler);
    asio::post(pool, [&function, handler = std::move(handler), home,
                      work = asio::make_work_guard(home)]() mutable {
      asio::dispatch(home, [result = function(), handler = std::move(handler)]() mutable {
        std::move(handler)(std::move(result));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
      std::move(initiate), asio::use_awaitable);
}

}  // namespace prewarm
