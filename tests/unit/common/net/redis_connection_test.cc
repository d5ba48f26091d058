#include "common/net/redis_connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "common/async/deadline.h"
#include "common/async/task_group.h"

namespace prewarm::net {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;
using Replies = std::vector<RedisReply>;

// A server in memory: its input and its output are bounded like socket buffers, and it reads
// nothing while its output is full, as a proxy would.
class ServerStream final : public Stream {
 public:
  // Called with all that was written so far and not yet taken; returns how much it took and what it
  // answers.
  struct Step {
    std::size_t taken = 0;
    std::string answer;
  };
  using Behaviour = std::function<Step(std::string_view input)>;

  ServerStream(boost::asio::any_io_executor executor, Behaviour behaviour)
      : behaviour_(std::move(behaviour)), changed_(executor) {}

  Task<Result<std::size_t>> ReadSome(std::span<std::byte> into, Duration /*limit*/) override {
    while (output_.empty() && !closed_ && !hang_up) CO_TRY_STATUS(co_await Changed());
    if (closed_) co_return Fail(ErrorCode::kCancelled, "closed");
    if (output_.empty()) co_return Fail(ErrorCode::kUnavailable, "closed by the other side");
    const std::size_t size = std::min(into.size(), output_.size());
    std::ranges::copy(std::as_bytes(std::span(output_)).first(size), into.begin());
    output_.erase(0, size);
    Serve();
    co_return size;
  }

  Task<Status> Write(std::span<const std::byte> bytes, Duration /*limit*/) override {
    for (const std::byte byte : bytes) {
      while (input_.size() >= kBuffer && !closed_) CO_TRY_STATUS(co_await Changed());
      if (closed_) co_return Fail(ErrorCode::kCancelled, "closed");
      input_ += static_cast<char>(byte);
      if (input_.size() >= kBuffer) Serve();
    }
    most_unanswered = std::max(most_unanswered, input_.size() + output_.size());
    Serve();
    co_return Status();
  }

  void Close() override {
    closed_ = true;
    changed_.cancel();
  }
  [[nodiscard]] bool IdleAndOpen() override { return !closed_; }

  bool hang_up = false;  // after what is in the output
  std::size_t most_unanswered = 0;

 private:
  static constexpr std::size_t kBuffer = 4096;

  void Serve() {
    while (output_.size() < kBuffer) {
      const Step step = behaviour_(input_);
      if (step.taken == 0 && step.answer.empty()) break;
      input_.erase(0, step.taken);
      output_ += step.answer;
    }
    changed_.cancel();
  }

  Task<Status> Changed() {
    changed_.expires_at(boost::asio::steady_timer::time_point::max());
    co_await changed_.async_wait(kAsTuple);
    if (co_await Stopping()) co_return Fail(ErrorCode::kCancelled, "stopped");
    co_return Status();
  }

  Behaviour behaviour_;
  boost::asio::steady_timer changed_;
  std::string input_;
  std::string output_;
  bool closed_ = false;
};

std::string Wire(const RedisCommand& command) {
  std::string wire;
  AppendRedisCommand(command, wire);
  return wire;
}

// Answers every command `command` with `answer`.
ServerStream::Behaviour Answering(const RedisCommand& command, std::string answer) {
  return [wire = Wire(command), answer = std::move(answer)](std::string_view input) {
    ServerStream::Step step;
    if (input.starts_with(wire)) step = {.taken = wire.size(), .answer = answer};
    return step;
  };
}

struct Rig {
  explicit Rig(ServerStream::Behaviour behaviour) {
    auto owned = std::make_unique<ServerStream>(loop.get_executor(), std::move(behaviour));
    server = owned.get();
    connection = std::make_unique<RedisConnection>(
        std::move(owned), RedisConnection::Timeouts{.read = 1h, .write = 1h});
  }

  Result<Replies> Run(const std::vector<RedisCommand>& commands, Duration limit = 20s) {
    Result<Replies> result = Fail(ErrorCode::kInternal, "never finished");
    auto body = [](RedisConnection& to, const std::vector<RedisCommand>& what, Duration patience,
                   Result<Replies>& out) -> Task<void> {
      out = co_await WithDeadline(patience, "pipeline", to.Pipeline(what));
    };
    TaskGroup group(loop.get_executor());
    group.Spawn("test", body(*connection, commands, limit, result));
    loop.restart();
    loop.run();
    return result;
  }

  boost::asio::io_context loop;
  ServerStream* server = nullptr;
  std::unique_ptr<RedisConnection> connection;
};

TEST(RedisConnection, ReturnsRepliesInOrder) {
  int served = 0;
  const std::string wire = Wire({"GET", "k"});
  Rig rig([&](std::string_view input) {
    ServerStream::Step step;
    if (input.starts_with(wire)) {
      step = {.taken = wire.size(), .answer = ":" + std::to_string(served++) + "\r\n"};
    }
    return step;
  });
  const auto replies = rig.Run(std::vector<RedisCommand>(1000, {"GET", "k"}));
  ASSERT_TRUE(replies) << replies.error().message;
  ASSERT_EQ(replies->size(), 1000U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ((*replies)[static_cast<std::size_t>(i)].integer, i);
  EXPECT_TRUE(rig.connection->IdleAndOpen());
  EXPECT_TRUE(rig.Run({{"GET", "k"}})) << "fit for another one";
  EXPECT_EQ(rig.Run({})->size(), 0U);
}

// Were a reply awaited anywhere in between, this would never end.
TEST(RedisConnection, NeedsOneRoundTripForManyCommands) {
  constexpr std::size_t kCommands = 10'000;
  const std::string wire = Wire({"LRANGE", "c1234567_0", "0", "-1"});
  std::size_t received = 0;
  std::size_t answered = 0;
  Rig rig([&](std::string_view input) {
    ServerStream::Step step;
    if (input.starts_with(wire)) {
      ++received;
      step.taken = wire.size();
    } else if (received == kCommands && answered < kCommands) {
      ++answered;
      step.answer = "*0\r\n";
    }
    return step;
  });
  const auto replies =
      rig.Run(std::vector<RedisCommand>(kCommands, {"LRANGE", "c1234567_0", "0", "-1"}));
  ASSERT_TRUE(replies) << replies.error().message;
  EXPECT_EQ(replies->size(), kCommands);
}

// Replies much larger than all buffers, and a server that stops reading while nobody takes them.
TEST(RedisConnection, ReadsWhileItWrites) {
  Rig rig(Answering({"GET", "k"}, "$2000\r\n" + std::string(2000, 'x') + "\r\n"));
  const auto replies = rig.Run(std::vector<RedisCommand>(20'000, {"GET", "k"}));
  ASSERT_TRUE(replies) << replies.error().message;
  EXPECT_EQ(replies->size(), 20'000U);
}

TEST(RedisConnection, KeepsABoundedAmountUnanswered) {
  // A server that answers only when about as much is unanswered as the sender allows.
  const RedisCommand command{"GET", std::string(1000, 'k')};
  const std::string wire = Wire(command);
  std::size_t received = 0;
  std::size_t answered = 0;
  std::size_t most = 0;
  bool answering = false;
  constexpr std::size_t kAhead = RedisConnection::kAheadBytes;
  constexpr std::size_t kSlack = 128U << 10;  // the sender counts in parts of several commands
  Rig rig([&](std::string_view input) {
    ServerStream::Step step;
    const std::size_t unanswered = received - answered;
    answering = unanswered > 0 &&
                (answering || received == 10'000 ||
                 (!input.starts_with(wire) && unanswered * wire.size() >= kAhead - kSlack));
    if (answering) {
      ++answered;
      step.answer = "$-1\r\n";
    } else if (input.starts_with(wire)) {
      ++received;
      step.taken = wire.size();
      most = std::max(most, (received - answered) * wire.size());
    }
    return step;
  });
  const auto replies = rig.Run(std::vector<RedisCommand>(10'000, command));
  ASSERT_TRUE(replies) << replies.error().message;
  EXPECT_EQ(replies->size(), 10'000U);
  EXPECT_GE(most, kAhead - kSlack);
  EXPECT_LT(most, kAhead + kSlack);
}

TEST(RedisConnection, PassesOnTheServersLastWords) {
  Rig rig([said = false](std::string_view) mutable {
    ServerStream::Step step;
    if (!std::exchange(said, true)) step.answer = "-ERR max number of clients reached\r\n";
    return step;
  });
  rig.server->hang_up = true;
  const auto replies = rig.Run({{"AUTH", "x"}, {"SELECT", "1"}});
  ASSERT_FALSE(replies);
  EXPECT_EQ(replies.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(replies.error().message.find("ERR max number of clients reached"), std::string::npos)
      << replies.error().message;
  EXPECT_FALSE(rig.connection->IdleAndOpen());
}

TEST(RedisConnection, FailsOnGarbageAndOnRepliesNobodyAskedFor) {
  Rig garbage(Answering({"PING"}, "SSH-2.0-OpenSSH\r\n"));
  EXPECT_EQ(garbage.Run({{"PING"}}).error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(garbage.connection->IdleAndOpen());
  Rig surplus(Answering({"PING"}, "+PONG\r\n+PONG\r\n"));
  EXPECT_EQ(surplus.Run({{"PING"}}).error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(surplus.connection->IdleAndOpen());
}

TEST(RedisConnection, EndsWhenItsDeadlinePasses) {
  Rig rig([](std::string_view) { return ServerStream::Step{}; });
  const auto replies =
      rig.Run(std::vector<RedisCommand>(10'000, {"GET", "k"}), std::chrono::milliseconds(20));
  ASSERT_FALSE(replies);
  EXPECT_EQ(replies.error().code, ErrorCode::kTimeout);
  EXPECT_FALSE(rig.connection->IdleAndOpen()) << "replies may still come on it";
}

}  // namespace
}  // namespace prewarm::net
