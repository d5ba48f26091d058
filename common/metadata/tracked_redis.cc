#include "common/metadata/tracked_redis.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/async/deadline.h"
#include "common/metadata/redis_answers.h"
#include "common/metadata/redis_dialer.h"

namespace prewarm::metadata {
namespace {

using net::RedisReply;
using Kind = RedisReply::Kind;

constexpr const char* kChannel = "__redis__:invalidate";
constexpr std::chrono::seconds kLook{1};        // how soon a hang-up is noticed
constexpr std::chrono::seconds kBeatLimit{5};   // to get an answer, or to reconnect
constexpr std::chrono::seconds kSetUpLimit{5};  // of the second connection
constexpr int kSilentBeats = 3;                 // then the listening connection is given up

// One request, one reply that is not an error.
Task<Result<RedisReply>> Ask(net::RedisConnection& connection, RedisCommand command) {
  const std::string name = command.front() + (command.size() > 1 ? " " + command[1] : "");
  const std::vector<RedisCommand> commands{std::move(command)};
  CO_TRY(auto replies, co_await connection.Pipeline(commands));
  if (replies.front().is_error()) co_return ErrorOf(replies.front(), name);
  co_return std::move(replies.front());
}

Error Stopped() { return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled); }

}  // namespace

KeyHash HashOfKey(std::string_view key) { return std::hash<std::string_view>{}(key); }

TrackedRedis::TrackedRedis(const boost::asio::any_io_executor& executor, RedisUrl url,
                           const Clock& clock, OnChange on_change, Options options)
    : clock_(clock),
      on_change_(std::move(on_change)),
      options_(options),
      client_(MakeRedisClient(std::move(url), clock, this)),
      free_(executor),
      tasks_(executor) {
  tasks_.Spawn("keep the tracked connections alive", KeepAlive());
}

TrackedRedis::~TrackedRedis() = default;

Task<Result<std::vector<RedisReply>>> TrackedRedis::Execute(std::vector<RedisCommand> commands,
                                                            Duration limit) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  while (busy_) {
    if (!co_await free_.Wait()) co_return Stopped();
  }
  if (tasks_.stopped()) co_return Stopped();
  busy_ = true;
  if (reading_) co_await NoteKeys(commands);
  auto replies = co_await client_->Execute(std::move(commands), limit);
  busy_ = false;
  if (link_is_of_no_use_) Relink();
  free_.Notify();
  co_return replies;
}

Task<Status> TrackedRedis::Connect(Duration limit) {
  auto connected = co_await Execute({}, limit);
  if (!connected) co_return std::move(connected).error();
  co_return Status();
}

void TrackedRedis::BeginReading(std::size_t others) {
  reading_ = true;
  other_keys_ = others;
  keys_.clear();
}

std::vector<KeyHash> TrackedRedis::EndReading() {
  reading_ = false;
  std::ranges::sort(keys_);
  const auto repeated = std::ranges::unique(keys_);
  keys_.erase(repeated.begin(), repeated.end());
  keys_.shrink_to_fit();
  return std::exchange(keys_, {});
}

// Every command of a reading is MGET, or has its one key in the second place. An unwatched reading
// depends on too many keys to remember, or is read again by the clock anyway.
Task<void> TrackedRedis::NoteKeys(const std::vector<RedisCommand>& commands) {
  if (!tracking()) co_return;
  for (const RedisCommand& command : commands) {
    const std::size_t end = command.front() == "MGET" ? command.size() : 2;
    for (std::size_t i = 1; i < std::min(end, command.size()); ++i) {
      keys_.push_back(HashOfKey(command[i]));
    }
  }
  if (other_keys_ + keys_.size() > options_.most_keys) co_await EndTracking();
}

// The server's own record of our keys goes as they change, or as it needs the room.
Task<void> TrackedRedis::EndTracking() {
  too_many_keys_ = true;
  refusal_ = "more than " + std::to_string(options_.most_keys) + " keys would have to be watched";
  keys_ = {};
  StopListening();
  std::ignore = co_await client_->Execute({{"CLIENT", "TRACKING", "OFF"}}, kBeatLimit);
  Tell({.anything = true, .keys = {}});
}

Task<void> TrackedRedis::Opened(RedisDialer& dialer, DialledRedis& link) {
  link_ = link.connection.get();
  link_is_of_no_use_ = false;
  if (too_many_keys_) co_return;
  auto listener = co_await WithDeadline(kSetUpLimit, "tracking", Subscribe(dialer, link));
  if (!listener) {
    refusal_ = listener.error().message;
    try_again_ = IsRetryable(listener.error().code);
  } else {
    refusal_.clear();
    listener_ = *std::move(listener);
    tasks_.Spawn("listen for changes", Listen(listener_));
  }
  Tell({.anything = true, .keys = {}});
}

Task<Result<TrackedRedis::Listener>> TrackedRedis::Subscribe(RedisDialer& dialer,
                                                             DialledRedis& link) {
  CO_TRY(auto second, co_await dialer.Dial(link.address, RedisDialer::Server::kRedis, {}));
  Listener listener = std::move(second.connection);
  CO_TRY(const auto id, co_await Ask(*listener, {"CLIENT", "ID"}));
  CO_TRY_STATUS(co_await Ask(*listener, {"SUBSCRIBE", kChannel}));
  CO_TRY_STATUS(co_await Ask(*link.connection,
                             {"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(id.integer)}));
  co_return listener;
}

void TrackedRedis::Dropped() {
  link_ = nullptr;
  if (!tracking()) return;
  StopListening();
  Tell({.anything = true, .keys = {}});
}

void TrackedRedis::StopListening() {
  if (auto listener = std::exchange(listener_, nullptr)) listener->Close();
}

// Whatever is read next comes over a new connection, which is tracked anew.
void TrackedRedis::Relink() {
  link_is_of_no_use_ = true;
  if (!busy_ && link_ != nullptr) link_->Close();
}

Task<void> TrackedRedis::Listen(Listener listener) {
  for (;;) {
    const auto heard = co_await listener->Listen(kSilentBeats * options_.heartbeat);
    if (listener != listener_ || tasks_.stopped()) co_return;
    Changes changes;
    if (!heard) {
      listener_ = nullptr;
      Relink();
      co_return Tell({.anything = true, .keys = {}});
    }
    for (const RedisReply& message : *heard) Hear(message, changes);
    if (changes.anything || !changes.keys.empty()) Tell(changes);
  }
}

// ["message", channel, [key…]]; nil instead of keys: the database was flushed. Answers to PING pass
// here as well.
void TrackedRedis::Hear(const RedisReply& message, Changes& changes) {
  if (message.elements.size() != 3 || message.elements[0].text != "message") return;
  const RedisReply& keys = message.elements[2];
  if (keys.is_nil()) {
    changes.anything = true;
    ++invalidations_;
  }
  for (const RedisReply& key : keys.elements) changes.keys.push_back(HashOfKey(key.text));
  invalidations_ += keys.elements.size();
}

Task<void> TrackedRedis::KeepAlive() {
  auto last = clock_.Now();
  while (co_await SleepFor(std::min<Duration>(kLook, options_.heartbeat))) {
    const bool lost = !busy_ && (link_ == nullptr || !link_->IdleAndOpen());
    if (!lost && clock_.Now() - last < options_.heartbeat) continue;
    co_await Beat();
    last = clock_.Now();
  }
}

// Nobody else would notice a connection that has gone silently; idle ones are also closed by
// servers and by what lies between.
Task<void> TrackedRedis::Beat() {
  if (const auto listener = listener_) std::ignore = co_await listener->Say({"PING"});
  if (busy_) co_return;
  if (std::exchange(try_again_, false)) Relink();
  std::ignore = co_await Execute({{"PING"}}, kBeatLimit);
}

void TrackedRedis::Tell(const Changes& changes) {
  if (!tasks_.stopped()) on_change_(changes);
}

Task<void> TrackedRedis::Stop() {
  tasks_.Stop();
  StopListening();
  co_await tasks_.Join();
}

}  // namespace prewarm::metadata
