// A primary that Sentinels know. Each is asked at once, and each answer followed to its end by
// itself: a Sentinel that is dead, cut off or behind the others thereby neither delays nor
// misleads, because only a server that calls itself master ends the search.
#include <utility>

#include "common/metadata/first_success.h"
#include "common/metadata/redis_answers.h"
#include "common/metadata/redis_route.h"

namespace prewarm::metadata {
namespace {

using net::RedisReply;

Result<HostPort> ReadMasterAddress(const RedisReply& reply, const RedisUrl& url) {
  if (reply.is_error()) return ErrorOf(reply, "SENTINEL get-master-addr-by-name");
  if (reply.is_nil()) {
    return Fail(ErrorCode::kNotFound,
                "it knows no master named \"" + url.master_name +
                    "\"; check the name before the first comma of the metadata URL");
  }
  if (reply.elements.size() != 2) return Fail(ErrorCode::kCorrupt, "not an address of a master");
  const auto port = ParseUnsigned(reply.elements[1].text, 65535);
  if (!port || *port == 0) return Fail(ErrorCode::kCorrupt, "not an address of a master");
  return HostPort{.host = reply.elements[0].text, .port = static_cast<std::uint16_t>(*port)};
}

class SentinelRoute final : public RedisRoute {
 public:
  SentinelRoute(const RedisUrl& url, RedisDialer& dialer) : url_(url), dialer_(dialer) {}

  Task<Result<DialledRedis>> Find() override {
    FirstSuccess<DialledRedis> search(co_await boost::asio::this_coro::executor);
    for (const HostPort& sentinel : url_.hosts) {
      search.Start("sentinel " + FormatHostPort(sentinel), Follow(sentinel));
    }
    co_return co_await search.Wait();
  }

 private:
  Task<Result<DialledRedis>> Follow(HostPort sentinel) {
    std::vector<net::RedisCommand> question{
        {"SENTINEL", "get-master-addr-by-name", url_.master_name}};
    CO_TRY(auto asked,
           co_await dialer_.Dial(sentinel, RedisDialer::Server::kSentinel, std::move(question)));
    auto master = ReadMasterAddress(asked.replies.front(), url_);
    if (!master) {
      co_return std::move(master).error().Within("Sentinel at " + FormatHostPort(sentinel));
    }
    co_return co_await DialMaster(*std::move(master));
  }

  Task<Result<DialledRedis>> DialMaster(HostPort address) {
    std::vector<net::RedisCommand> first{{"ROLE"}};
    if (url_.database != 0) first.push_back({"SELECT", std::to_string(url_.database)});
    CO_TRY(auto found,
           co_await dialer_.Dial(address, RedisDialer::Server::kRedis, std::move(first)));
    const std::string name = "Redis at " + FormatHostPort(address);
    const RedisReply& role = found.replies.front();
    // A user that may not ask ROLE has to trust the Sentinel.
    if (Judge(role) != Verdict::kAnswer) co_return ErrorOf(role, name);
    if (!role.is_error() && (role.elements.empty() || role.elements[0].text != "master")) {
      co_return Fail(ErrorCode::kUnavailable,
                     name +
                         " is named as the primary, but does not call itself master (fail-over "
                         "in progress?)",
                     Reason::kServerError);
    }
    if (url_.database != 0) CO_TRY_STATUS(CheckSelect(found.replies.back(), url_, name));
    co_return found;
  }

  const RedisUrl& url_;
  RedisDialer& dialer_;
};

}  // namespace

std::unique_ptr<RedisRoute> MakeSentinelRoute(const RedisUrl& url, RedisDialer& dialer) {
  return std::make_unique<SentinelRoute>(url, dialer);
}

}  // namespace prewarm::metadata
