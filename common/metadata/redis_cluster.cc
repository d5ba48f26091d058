// The member of a Redis Cluster that is master of the volume's slot. Members are asked at once for
// the slot map and each answer is followed by itself, so that dead members do not delay and stale
// maps do not mislead; a replica that still is somebody's master in such a map answers MOVED.
#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "common/metadata/first_success.h"
#include "common/metadata/redis_answers.h"
#include "common/metadata/redis_route.h"
#include "common/metadata/redis_slots.h"

namespace prewarm::metadata {
namespace {

constexpr auto kRedis = RedisDialer::Server::kRedis;
// Enough that some of them live; asking all of a large cluster would be a burden for it.
constexpr std::size_t kAskedAtOnce = 6;

class ClusterRoute final : public RedisRoute {
 public:
  ClusterRoute(const RedisUrl& url, RedisDialer& dialer)
      : dialer_(dialer),
        prefix_("{" + std::to_string(url.database) + "}"),
        slot_(SlotOf(prefix_)),
        seeds_(url.hosts) {}

  Task<Result<DialledRedis>> Find() override {
    if (auto target = std::exchange(redirect_, std::nullopt)) {
      auto found = co_await dialer_.Dial(*std::move(target), kRedis, {});
      if (found || !IsRetryable(found.error().code)) co_return found;
    }
    FirstSuccess<DialledRedis> search(co_await boost::asio::this_coro::executor);
    for (HostPort& member : MembersToAsk()) {
      std::string name = "cluster member " + FormatHostPort(member);
      search.Start(std::move(name), Follow(std::move(member)));
    }
    co_return co_await search.Wait();
  }

  [[nodiscard]] std::string key_prefix() const override { return prefix_; }
  void Redirect(const HostPort& address) override { redirect_ = address; }

 private:
  // The seeds of the URL and members learnt since, of which all seeds may be gone.
  std::vector<HostPort> MembersToAsk() {
    std::vector<HostPort> members = seeds_;
    for (const HostPort& node : learnt_) {
      if (std::ranges::find(members, node) == members.end()) members.push_back(node);
    }
    std::ranges::shuffle(members, random_);
    members.resize(std::min(members.size(), kAskedAtOnce));
    return members;
  }

  Task<Result<DialledRedis>> Follow(HostPort member) {
    std::vector<net::RedisCommand> question{{"CLUSTER", "SLOTS"}};
    CO_TRY(auto asked, co_await dialer_.Dial(member, kRedis, std::move(question)));
    const std::string name = "Redis at " + FormatHostPort(member);
    if (asked.replies.front().is_error()) {
      co_return ErrorOf(asked.replies.front(), name + ": CLUSTER SLOTS");
    }
    auto map = ReadSlotMap(asked.replies.front(), slot_, member);
    if (!map) co_return std::move(map).error().Within(name);
    learnt_ = std::move(map->nodes);
    if (map->owner == member) co_return asked;
    co_return co_await dialer_.Dial(std::move(map->owner), kRedis, {});
  }

  RedisDialer& dialer_;
  const std::string prefix_;
  const std::uint16_t slot_;
  const std::vector<HostPort> seeds_;
  std::vector<HostPort> learnt_;
  std::optional<HostPort> redirect_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

std::unique_ptr<RedisRoute> MakeClusterRoute(const RedisUrl& url, RedisDialer& dialer) {
  return std::make_unique<ClusterRoute>(url, dialer);
}

}  // namespace prewarm::metadata
