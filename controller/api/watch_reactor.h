// The stream of one WatchPrewarm as something that a coroutine on the control executor writes to.
#pragma once

#include <grpcpp/support/server_callback.h>
#include <prewarm/v1/prewarm.pb.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "controller/api/call_end.h"

namespace prewarm::controller {

// Deletes itself when gRPC is done with the call, which is after Finish; Finish is called once, and
// not while a Write is under way. Until then the reactor and its context are there.
class WatchReactor final : public grpc::ServerWriteReactor<v1::Prewarm> {
 public:
  WatchReactor(boost::asio::any_io_executor executor, grpc::CallbackServerContext& context,
               std::shared_ptr<CallEnd> end)
      : executor_(std::move(executor)),
        context_(context),
        end_(std::move(end)),
        written_(executor_) {}

  [[nodiscard]] grpc::CallbackServerContext* context() { return &context_; }
  [[nodiscard]] const std::shared_ptr<CallEnd>& end() const { return end_; }

  // False: the caller is gone, or has not taken the message within `limit` and was cut off.
  Task<bool> Write(v1::Prewarm message, Duration limit) {
    message_ = std::move(message);
    writing_ = true;
    StartWrite(&message_);
    while (writing_) {
      written_.expires_after(limit);
      const auto [error] = co_await written_.async_wait(kAsTuple);
      // Cancelling makes gRPC end the write, which is what is waited for next.
      if (writing_ && (!error || co_await Stopping())) context_.TryCancel();
    }
    co_return ok_;
  }

  void OnWriteDone(bool ok) override {
    boost::asio::post(executor_, [this, ok] {
      ok_ = ok;
      writing_ = false;
      written_.cancel();
    });
  }
  void OnCancel() override { end_->CallerIsGone(); }
  void OnDone() override { delete this; }

 private:
  boost::asio::any_io_executor executor_;
  grpc::CallbackServerContext& context_;
  const std::shared_ptr<CallEnd> end_;
  boost::asio::steady_timer written_;
  v1::Prewarm message_;
  bool writing_ = false;
  bool ok_ = false;
};

}  // namespace prewarm::controller
