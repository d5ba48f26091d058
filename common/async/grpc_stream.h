// A bidirectional gRPC stream as something that a coroutine can use: Send queues, Receive waits.
// gRPC calls back on threads of its own; everything here hops to one executor first, so a
// MessageStream and all that it touches live on that executor. One message is in flight to and from
// gRPC at a time; reading goes on only as fast as messages are received, which is the
// back-pressure.
#pragma once

#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/async/task.h"
#include "common/base/result.h"

namespace prewarm {

template <class In, class Out>
class MessageStream : public std::enable_shared_from_this<MessageStream<In, Out>> {
 public:
  // What a reactor offers: starting an operation of which the On… calls below tell the end.
  struct Wire {
    std::function<void(In*)> start_read;
    std::function<void(const Out*)> start_write;
    std::function<void(const grpc::Status&)> end;  // once; nothing is started afterwards
    std::function<void()> close_writes;            // clients only: nothing more will be written
  };

  explicit MessageStream(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)),
        changed_(executor_, boost::asio::steady_timer::time_point::max()) {}

  // On the executor, before anything else.
  void Open(Wire wire) { wire_ = std::move(wire); }

  // Queues a message; dropped if the stream has ended. The caller bounds the queue by `queued()`.
  void Send(Out message) {
    if (!wire_) return;
    outgoing_.push_back(std::move(message));
    Write();
  }
  [[nodiscard]] std::size_t queued() const { return outgoing_.size(); }
  [[nodiscard]] bool ended() const { return !wire_; }
  // By the other side, which has said all it had to say.
  [[nodiscard]] bool other_side_ended() const { return other_side_ended_; }

  // At a client: ends its own direction after what is queued. The other side has then received all
  // of it, and answers by ending the stream, which Receive reports.
  void CloseWrites() {
    closing_ = true;
    Write();
  }

  // The next message. kUnavailable: the other side is gone; kCancelled: the task was stopped.
  Task<Result<In>> Receive() {
    const auto self = this->shared_from_this();
    if (wire_ && !reading_ && !incoming_) {
      reading_ = true;
      incoming_space_ = std::make_unique<In>();
      wire_->start_read(incoming_space_.get());
    }
    while (!incoming_ && wire_) {
      if (co_await Stopping()) co_return Cancelled();
      changed_.expires_at(boost::asio::steady_timer::time_point::max());
      co_await changed_.async_wait(kAsTuple);
    }
    if (!incoming_)
      co_return Fail(ErrorCode::kUnavailable, "the stream has ended", Reason::kConnection);
    In message = *std::move(incoming_);
    incoming_.reset();
    co_return message;
  }

  // Ends the stream, once: at a server with this status, at a client by cancelling.
  void End(const grpc::Status& status = grpc::Status::OK) {
    if (!wire_) return;
    const auto wire = std::exchange(wire_, std::nullopt);
    outgoing_.clear();
    changed_.cancel();
    wire->end(status);
  }

  // From gRPC's threads.
  void OnReadDone(bool ok) {
    boost::asio::post(executor_, [self = this->shared_from_this(), ok] {
      self->reading_ = false;
      if (!ok) {
        self->other_side_ended_ = true;
        return self->End(grpc::Status::OK);
      }
      self->incoming_ = std::move(*self->incoming_space_);
      self->changed_.cancel();
    });
  }
  void OnWriteDone(bool ok) {
    boost::asio::post(executor_, [self = this->shared_from_this(), ok] {
      self->writing_ = false;
      self->written_.reset();
      if (!ok) return self->End(grpc::Status::OK);
      self->Write();
    });
  }
  void OnGone() {
    boost::asio::post(executor_, [self = this->shared_from_this()] { self->End(); });
  }

 private:
  static Error Cancelled() {
    return Fail(ErrorCode::kCancelled, "the stream was stopped", Reason::kCancelled);
  }

  void Write() {
    if (!wire_ || writing_) return;
    if (outgoing_.empty()) {
      if (std::exchange(closing_, false) && wire_->close_writes) wire_->close_writes();
      return;
    }
    writing_ = true;
    written_ = std::make_unique<Out>(std::move(outgoing_.front()));
    outgoing_.pop_front();
    wire_->start_write(written_.get());
  }

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer changed_;
  std::optional<Wire> wire_;
  std::deque<Out> outgoing_;
  // gRPC holds pointers to these two while an operation is under way; they outlive the stream's end
  // because the reactor holds the MessageStream.
  std::unique_ptr<Out> written_;
  std::unique_ptr<In> incoming_space_;
  std::optional<In> incoming_;
  bool reading_ = false;
  bool writing_ = false;
  bool other_side_ended_ = false;
  bool closing_ = false;  // once everything queued is written
};

// The server's side: made in the service's method, which returns it. Deletes itself.
template <class In, class Out>
class ServerStreamReactor final : public grpc::ServerBidiReactor<In, Out> {
 public:
  using Stream = MessageStream<In, Out>;
  // `begin` runs on the executor, once, with the opened stream.
  ServerStreamReactor(const boost::asio::any_io_executor& executor,
                      std::function<void(const std::shared_ptr<Stream>&)> begin)
      : stream_(std::make_shared<Stream>(executor)) {
    boost::asio::post(executor, [this, begin = std::move(begin), stream = stream_] {
      stream->Open({[this](In* in) { this->StartRead(in); },
                    [this](const Out* out) { this->StartWrite(out); },
                    [this](const grpc::Status& status) { this->Finish(status); }, nullptr});
      begin(stream);
    });
  }

  void OnReadDone(bool ok) override { stream_->OnReadDone(ok); }
  void OnWriteDone(bool ok) override { stream_->OnWriteDone(ok); }
  void OnCancel() override { stream_->OnGone(); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<Stream> stream_;
};

// The client's side. `start` binds it to a call: stub->async()->Connect(context, reactor). Deletes
// itself when the call is over; `done` then runs on the executor with the call's status.
template <class In, class Out>
class ClientStreamReactor final : public grpc::ClientBidiReactor<Out, In> {
 public:
  using Stream = MessageStream<In, Out>;

  static std::shared_ptr<Stream> Start(
      const boost::asio::any_io_executor& executor, std::shared_ptr<grpc::ClientContext> context,
      const std::function<void(grpc::ClientContext*, grpc::ClientBidiReactor<Out, In>*)>& start,
      std::function<void(const grpc::Status&)> done) {
    auto* reactor = new ClientStreamReactor(executor, std::move(context), std::move(done));
    const auto stream = reactor->stream_;
    stream->Open({[reactor](In* in) { reactor->StartRead(in); },
                  [reactor](const Out* out) { reactor->StartWrite(out); },
                  [reactor](const grpc::Status&) {
                    // A cancel on the heels of the server's last word would hide its status.
                    if (!reactor->stream_->other_side_ended()) reactor->context_->TryCancel();
                    reactor->RemoveHold();
                  },
                  [reactor] { reactor->StartWritesDone(); }});
    start(reactor->context_.get(), reactor);
    reactor->AddHold();  // operations start outside callbacks until the stream's end
    reactor->StartCall();
    return stream;
  }

  void OnReadDone(bool ok) override { stream_->OnReadDone(ok); }
  void OnWriteDone(bool ok) override { stream_->OnWriteDone(ok); }
  void OnDone(const grpc::Status& status) override {
    // The context may hold the last reference to its channel, and a channel that goes on a thread
    // of gRPC's takes that thread's queue from under it (1.51: freed twice).
    boost::asio::post(executor_, [done = std::move(done_), context = std::move(context_), status] {
      done(status);
    });
    delete this;
  }

 private:
  ClientStreamReactor(const boost::asio::any_io_executor& executor,
                      std::shared_ptr<grpc::ClientContext> context,
                      std::function<void(const grpc::Status&)> done)
      : executor_(executor),
        context_(std::move(context)),
        done_(std::move(done)),
        stream_(std::make_shared<Stream>(executor)) {}

  boost::asio::any_io_executor executor_;
  std::shared_ptr<grpc::ClientContext> context_;
  std::function<void(const grpc::Status&)> done_;
  std::shared_ptr<Stream> stream_;
};

}  // namespace prewarm
