// The one retry loop for all kinds of metadata engines: finds the server that answers now, sends
// what is still unanswered, follows redirects, waits out what passes by itself. Every command of
// ours reads, so sending one again is always right.
#include "common/metadata/redis_client.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <utility>

#include "common/async/deadline.h"
#include "common/base/units.h"
#include "common/metadata/redis_answers.h"
#include "common/metadata/redis_route.h"

namespace prewarm::metadata {
namespace {

using net::RedisReply;

constexpr int kRedirects = 5;  // followed at once in one call; more of them wait like a failure
constexpr std::chrono::milliseconds kFirstPause{25};
constexpr std::chrono::milliseconds kLongestPause{500};

// Commands under way: what was answered, what is still open, and why.
class Call {
 public:
  explicit Call(std::vector<RedisCommand> commands)
      : commands_(std::move(commands)), replies_(commands_.size()), open_(commands_.size()) {
    std::iota(open_.begin(), open_.end(), std::size_t{0});
  }

  [[nodiscard]] bool Complete() const { return open_.empty(); }
  [[nodiscard]] const std::vector<std::size_t>& open() const { return open_; }
  [[nodiscard]] const RedisCommand& command(std::size_t index) const { return commands_[index]; }
  std::vector<RedisReply> TakeReplies() { return std::move(replies_); }

  // The open commands as a list to send; copied only if some are answered already.
  std::span<const RedisCommand> ToSend(std::vector<RedisCommand>& storage) const {
    if (open_.size() == commands_.size()) return commands_;
    for (const std::size_t index : open_) storage.push_back(commands_[index]);
    return storage;
  }

  void Answer(std::size_t index, RedisReply reply) { replies_[index] = std::move(reply); }
  void SetOpen(std::vector<std::size_t> open) { open_ = std::move(open); }

  int redirects = 0;
  std::optional<Error> last_failure;

 private:
  std::vector<RedisCommand> commands_;
  std::vector<RedisReply> replies_;
  std::vector<std::size_t> open_;  // ascending
};

// What a round of replies asks for, besides the values in it.
struct Round {
  std::optional<HostPort> moved;
  std::map<std::string, std::pair<HostPort, std::vector<std::size_t>>> asks;  // by server
  std::optional<RedisReply> wait;
  std::optional<RedisReply> elsewhere;
  std::optional<RedisReply> refused;
  std::vector<std::size_t> open;
};

Round Sort(std::vector<RedisReply> replies, const HostPort& asked, Call& call) {
  Round round;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const std::size_t index = call.open()[i];
    const Verdict verdict = Judge(replies[i]);
    if (verdict == Verdict::kAnswer) {
      call.Answer(index, std::move(replies[i]));
      continue;
    }
    round.open.push_back(index);
    const auto target = RedirectTarget(replies[i].text, asked);
    if (verdict == Verdict::kRefused) {
      round.refused = std::move(replies[i]);
    } else if (verdict == Verdict::kMoved && target) {
      round.moved = target;
    } else if (verdict == Verdict::kAsk && target) {
      auto& [server, indexes] = round.asks[FormatHostPort(*target)];
      server = *target;
      indexes.push_back(index);
    } else if (verdict == Verdict::kWait) {
      round.wait = std::move(replies[i]);
    } else {
      round.elsewhere = std::move(replies[i]);
    }
  }
  return round;
}

class RoutedRedisClient final : public RedisClient {
 public:
  RoutedRedisClient(RedisUrl url, const Clock& clock, LinkObserver* observer)
      : url_(std::move(url)),
        clock_(clock),
        observer_(observer),
        dialer_(url_),
        route_(MakeRoute(url_, dialer_)) {}

  Task<Result<std::vector<RedisReply>>> Execute(std::vector<RedisCommand> commands,
                                                Duration limit) override {
    Call call(std::move(commands));
    const SteadyTime start = clock_.Now();
    auto done = co_await WithDeadline(limit, "Redis at " + url_.Display(), Run(call));
    if (done) co_return call.TakeReplies();
    DropLink();  // replies may still be under way on it
    Error error = std::move(done).error();
    if (error.code == ErrorCode::kTimeout && call.last_failure) {
      error = *std::move(call.last_failure);
      error.message += " (gave up after " + FormatDuration(clock_.Now() - start) + ")";
    }
    co_return error;
  }

  [[nodiscard]] std::string_view key_prefix() const override { return key_prefix_; }

  Task<Status> Connect(Duration limit) override {
    auto connected = co_await Execute({}, limit);
    if (!connected) co_return std::move(connected).error();
    co_return Status();
  }

 private:
  Task<Status> Run(Call& call) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    auto pause = kFirstPause;
    for (;;) {
      const int redirects = call.redirects;
      auto attempt = co_await Attempt(call);
      if (attempt && call.Complete()) co_return Status();
      if (!attempt) {
        if (!IsRetryable(attempt.error().code)) co_return attempt;
        call.last_failure = attempt.error();
      } else if (call.redirects > redirects && call.redirects <= kRedirects) {
        continue;
      }
      // Full jitter: many who lost the same server must not come back together.
      const auto longest = std::chrono::duration_cast<std::chrono::microseconds>(pause).count();
      std::uniform_int_distribution<std::int64_t> any(0, longest);
      if (!co_await SleepFor(std::chrono::microseconds(any(random_)))) {
        co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
      }
      pause = std::min(2 * pause, kLongestPause);
    }
  }

  Task<Status> EnsureLink() {
    if (link_ && link_->connection->IdleAndOpen()) co_return Status();
    DropLink();
    CO_TRY(link_, co_await route_->Find());
    key_prefix_ = route_->key_prefix();
    if (observer_ != nullptr) co_await observer_->Opened(dialer_, *link_);
    co_return Status();
  }

  void DropLink() {
    if (link_ && observer_ != nullptr) observer_->Dropped();
    link_.reset();
  }

  // Sends what is open, once. Success means progress, or that it is worth going on.
  Task<Status> Attempt(Call& call) {
    CO_TRY_STATUS(co_await EnsureLink());
    if (call.Complete()) co_return Status();
    std::vector<RedisCommand> storage;
    auto replies = co_await link_->connection->Pipeline(call.ToSend(storage));
    const std::string name = "Redis at " + dialer_.NameOf(link_->address);
    if (!replies) {
      DropLink();
      co_return std::move(replies).error().Within(name);
    }
    Round round = Sort(*std::move(replies), link_->address, call);
    for (const auto& [server, ask] : round.asks) {
      CO_TRY(const auto answered, co_await Ask(ask.first, ask.second, call));
      std::erase_if(round.open,
                    [&](std::size_t index) { return std::ranges::binary_search(answered, index); });
    }
    call.SetOpen(std::move(round.open));
    co_return Conclude(round, name, call);
  }

  Status Conclude(Round& round, const std::string& name, Call& call) {
    if (round.refused) return ErrorOf(*round.refused, name + " no longer accepts us");
    if (round.elsewhere || round.moved) DropLink();
    if (round.moved) {
      ++call.redirects;
      // Where redirects go round in circles, the slot map has to tell.
      if (call.redirects > kRedirects) {
        return Fail(ErrorCode::kUnavailable, name + ": too many redirects", Reason::kServerError);
      }
      route_->Redirect(*round.moved);
      return {};
    }
    if (round.elsewhere) return ErrorOf(*round.elsewhere, name);
    if (round.wait) return ErrorOf(*round.wait, name);
    return {};
  }

  // Asks a server for keys that are on their way to it; the slot is not its own yet. The answer is
  // which of the commands it answered.
  Task<Result<std::vector<std::size_t>>> Ask(HostPort server, std::vector<std::size_t> indexes,
                                             Call& call) {
    if (observer_ != nullptr) observer_->ReadElsewhere();
    CO_TRY(auto target, co_await dialer_.Dial(server, RedisDialer::Server::kRedis, {}));
    std::vector<RedisCommand> commands;
    for (const std::size_t index : indexes) {
      commands.push_back({"ASKING"});
      commands.push_back(call.command(index));
    }
    auto replies = co_await target.connection->Pipeline(commands);
    if (!replies) {
      co_return std::move(replies).error().Within("Redis at " + FormatHostPort(server));
    }
    std::vector<std::size_t> answered;
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      RedisReply& reply = (*replies)[2 * i + 1];
      if (Judge(reply) != Verdict::kAnswer) continue;
      call.Answer(indexes[i], std::move(reply));
      answered.push_back(indexes[i]);
    }
    co_return answered;
  }

  const RedisUrl url_;
  const Clock& clock_;
  LinkObserver* const observer_;
  RedisDialer dialer_;
  std::unique_ptr<RedisRoute> route_;
  std::optional<DialledRedis> link_;
  std::string key_prefix_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

std::unique_ptr<RedisClient> MakeRedisClient(RedisUrl url, const Clock& clock,
                                             LinkObserver* observer) {
  return std::make_unique<RoutedRedisClient>(std::move(url), clock, observer);
}

}  // namespace prewarm::metadata
