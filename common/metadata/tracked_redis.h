// A RedisClient whose server tells when something that was read over it has changed (CLIENT
// TRACKING with a second connection that listens), so that whoever follows a tree of files need not
// ask. The server remembers each key that was read until it has told of its change, once: reading
// again is what keeps a key watched.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/metadata/redis_client.h"
#include "common/net/redis_connection.h"

namespace prewarm::metadata {

// A key by 64 bits: two keys that share them cost a needless look, never a missed change.
using KeyHash = std::uint64_t;
KeyHash HashOfKey(std::string_view key);

struct Changes {
  // Anything that was ever read may be different: a connection was lost, the database was flushed,
  // or tracking began or ended.
  bool anything = false;
  std::vector<KeyHash> keys;
};

class TrackedRedis final : public RedisClient, private LinkObserver {
 public:
  struct Options {
    Duration heartbeat = std::chrono::seconds(10);  // both connections are asked so often
    // Keys watched for us at most; beyond them tracking ends for good. Half of what a server
    // remembers of all its clients (tracking-table-max-keys), because beyond that it forgets keys,
    // which it tells like changes.
    std::size_t most_keys = 500'000;
  };
  // Called on the executor. Must not destroy this client.
  using OnChange = std::function<void(const Changes&)>;

  TrackedRedis(const boost::asio::any_io_executor& executor, RedisUrl url, const Clock& clock,
               OnChange on_change, Options options);
  TrackedRedis(const boost::asio::any_io_executor& executor, RedisUrl url, const Clock& clock,
               OnChange on_change)
      : TrackedRedis(executor, std::move(url), clock, std::move(on_change), Options()) {}
  ~TrackedRedis() override;  // after Stop

  // As RedisClient says, but any number of callers; they take turns.
  Task<Result<std::vector<net::RedisReply>>> Execute(std::vector<RedisCommand> commands,
                                                     Duration limit) override;
  [[nodiscard]] std::string_view key_prefix() const override { return client_->key_prefix(); }
  Task<Status> Connect(Duration limit) override;

  // Between the two, the keys that are read are noted: what the answers depend on. `others` is the
  // number of keys watched for other readings. One at a time.
  void BeginReading(std::size_t others);
  std::vector<KeyHash> EndReading();  // ascending, each once

  // What was read since the last change of `anything` is watched.
  [[nodiscard]] bool tracking() const { return listener_ != nullptr; }
  // Why not, where the server answers but does not track; empty before the first connection.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }
  [[nodiscard]] std::uint64_t invalidations() const { return invalidations_; }

  // Ends both connections; nothing is read afterwards.
  Task<void> Stop();

 private:
  using Listener = std::shared_ptr<net::RedisConnection>;

  Task<void> Opened(RedisDialer& dialer, DialledRedis& link) override;
  void Dropped() override;
  void ReadElsewhere() override { Tell({.anything = true, .keys = {}}); }

  Task<Result<Listener>> Subscribe(RedisDialer& dialer, DialledRedis& link);
  Task<void> Listen(Listener listener);
  Task<void> KeepAlive();
  Task<void> Beat();
  void Hear(const net::RedisReply& message, Changes& changes);
  Task<void> NoteKeys(const std::vector<RedisCommand>& commands);
  Task<void> EndTracking();
  void StopListening();
  void Relink();
  void Tell(const Changes& changes);

  const Clock& clock_;
  const OnChange on_change_;
  const Options options_;
  std::unique_ptr<RedisClient> client_;
  net::RedisConnection* link_ = nullptr;  // of client_, while it is open
  Listener listener_;
  std::string refusal_;
  bool too_many_keys_ = false;
  bool link_is_of_no_use_ = false;  // open, but what is read over it is not watched any more
  bool try_again_ = false;          // whether the server would track is not known yet
  bool reading_ = false;
  std::size_t other_keys_ = 0;
  std::vector<KeyHash> keys_;  // of the present reading
  std::uint64_t invalidations_ = 0;
  bool busy_ = false;
  Signal free_;
  TaskGroup tasks_;
};

}  // namespace prewarm::metadata
