#include "common/net/redis_connection.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace prewarm::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kWriteBytes = 64U << 10;  // formatted and written at once
constexpr std::size_t kReadBytes = 64U << 10;

// A server that has no room for another client says so unasked and hangs up: that is the reason.
Error WithLastWords(Error failure, const std::vector<RedisReply>& replies) {
  if (failure.code == ErrorCode::kUnavailable && !replies.empty() && replies.back().is_error()) {
    failure.message += ", saying \"" + replies.back().text + "\"";
  }
  return failure;
}

}  // namespace

// What the two halves of a running Pipeline share; it lives in Pipeline's frame.
struct RedisConnection::Exchange {
  struct Part {
    std::size_t last_command = 0;  // the part is answered once this many replies are there
    std::size_t bytes = 0;
  };

  std::span<const RedisCommand> commands;
  std::vector<RedisReply> replies;
  std::deque<Part> unanswered;
  std::size_t unanswered_bytes = 0;
  asio::steady_timer answered;  // never expires: cancelled to wake the sender
  std::optional<Error> failure;

  void NoteAnswers() {
    while (!unanswered.empty() && unanswered.front().last_command <= replies.size()) {
      unanswered_bytes -= unanswered.front().bytes;
      unanswered.pop_front();
    }
    answered.cancel();
  }
};

RedisConnection::RedisConnection(std::unique_ptr<Stream> stream, Timeouts timeouts)
    : stream_(std::move(stream)), timeouts_(timeouts), buffer_(kReadBytes) {}

// The first failure is the answer; closing the stream ends the other half.
Status RedisConnection::GiveUp(Exchange& exchange, Error error) {
  if (!exchange.failure) exchange.failure = error;
  broken_ = true;
  stream_->Close();
  exchange.answered.cancel();
  return error;
}

Task<Status> RedisConnection::Send(Exchange& exchange) {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::string wire;
  for (std::size_t next = 0; next < exchange.commands.size();) {
    while (exchange.unanswered_bytes >= kAheadBytes && !exchange.failure) {
      exchange.answered.expires_at(asio::steady_timer::time_point::max());
      co_await exchange.answered.async_wait(kAsTuple);
      if (co_await Stopping()) {
        co_return GiveUp(exchange, Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled));
      }
    }
    if (exchange.failure) co_return *exchange.failure;
    wire.clear();
    while (next < exchange.commands.size() && wire.size() < kWriteBytes) {
      AppendRedisCommand(exchange.commands[next++], wire);
    }
    exchange.unanswered.push_back({.last_command = next, .bytes = wire.size()});
    exchange.unanswered_bytes += wire.size();
    auto written = co_await stream_->Write(std::as_bytes(std::span(wire)), timeouts_.write);
    if (!written) co_return GiveUp(exchange, std::move(written).error());
  }
  co_return Status();
}

Task<Status> RedisConnection::Receive(Exchange& exchange) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (exchange.replies.size() < exchange.commands.size()) {
    if (co_await Stopping()) {
      co_return GiveUp(exchange, Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled));
    }
    auto size = co_await stream_->ReadSome(buffer_, timeouts_.read);
    if (!size) co_return GiveUp(exchange, std::move(size).error());
    auto fed = reader_.Feed(std::span(buffer_).first(*size), exchange.replies);
    if (!fed) co_return GiveUp(exchange, std::move(fed).error());
    exchange.NoteAnswers();
  }
  co_return Status();
}

Task<Result<std::vector<RedisReply>>> RedisConnection::Pipeline(
    std::span<const RedisCommand> commands) {
  using asio::experimental::awaitable_operators::operator&&;
  Exchange exchange{.commands = commands,
                    .replies = {},
                    .unanswered = {},
                    .unanswered_bytes = 0,
                    .answered = asio::steady_timer(co_await asio::this_coro::executor),
                    .failure = {}};
  exchange.replies.reserve(commands.size());
  co_await (Send(exchange) && Receive(exchange));
  if (exchange.failure) co_return WithLastWords(*std::move(exchange.failure), exchange.replies);
  if (exchange.replies.size() != commands.size()) {
    broken_ = true;
    co_return Fail(ErrorCode::kCorrupt, "the server sent more replies than commands");
  }
  co_return std::move(exchange.replies);
}

Task<Result<std::vector<RedisReply>>> RedisConnection::Listen(Duration patience) {
  std::vector<RedisReply> heard;
  while (heard.empty()) {
    const auto size = co_await stream_->ReadSome(buffer_, patience);
    const auto fed =
        size ? reader_.Feed(std::span(buffer_).first(*size), heard) : Status(size.error());
    if (!fed) {
      Close();
      co_return fed.error();
    }
  }
  co_return heard;
}

Task<Status> RedisConnection::Say(RedisCommand command) {
  std::string wire;
  AppendRedisCommand(command, wire);
  auto written = co_await stream_->Write(std::as_bytes(std::span(wire)), timeouts_.write);
  if (!written) Close();
  co_return written;
}

void RedisConnection::Close() {
  broken_ = true;
  stream_->Close();
}

}  // namespace prewarm::net
