// One server at a known address: standalone, or a member of a cluster, which only it can tell. A
// replica is accepted here: whoever names one address means that server.
#include <utility>

#include "common/metadata/redis_answers.h"
#include "common/metadata/redis_route.h"

namespace prewarm::metadata {
namespace {

using net::RedisReply;

// A user without the right to ask is taken to be on a standalone server, as the JuiceFS client
// does.
bool InClusterMode(const RedisReply& reply) {
  return reply.text.find(reply.is_error() ? "cluster mode" : "cluster_state:") != std::string::npos;
}

class SingleRoute final : public RedisRoute {
 public:
  SingleRoute(const RedisUrl& url, RedisDialer& dialer) : url_(url), dialer_(dialer) {}

  Task<Result<DialledRedis>> Find() override {
    if (cluster_ != nullptr) co_return co_await cluster_->Find();
    std::vector<net::RedisCommand> first{{"CLUSTER", "INFO"}};
    if (url_.database != 0) first.push_back({"SELECT", std::to_string(url_.database)});
    const HostPort address = url_.hosts.empty() ? HostPort() : url_.hosts.front();
    CO_TRY(auto found,
           co_await dialer_.Dial(address, RedisDialer::Server::kRedis, std::move(first)));
    const std::string name = "Redis at " + dialer_.NameOf(address);
    if (Judge(found.replies.front()) != Verdict::kAnswer) {
      co_return ErrorOf(found.replies.front(), name);
    }
    const bool cluster =
        InClusterMode(found.replies.front()) || InClusterMode(found.replies.back());
    if (cluster && url_.mode == RedisUrl::Mode::kUnixSocket) {
      co_return Fail(ErrorCode::kInvalidArgument,
                     name + ": a member of a Redis Cluster is reached by host and port only");
    }
    if (cluster) {
      cluster_ = MakeClusterRoute(url_, dialer_);
      co_return co_await cluster_->Find();
    }
    if (url_.database != 0) CO_TRY_STATUS(CheckSelect(found.replies.back(), url_, name));
    co_return found;
  }

  [[nodiscard]] std::string key_prefix() const override {
    return cluster_ == nullptr ? "" : cluster_->key_prefix();
  }

  void Redirect(const HostPort& address) override {
    if (cluster_ != nullptr) cluster_->Redirect(address);
  }

 private:
  const RedisUrl& url_;
  RedisDialer& dialer_;
  std::unique_ptr<RedisRoute> cluster_;  // once the server turned out to be a member
};

}  // namespace

std::unique_ptr<RedisRoute> MakeSingleRoute(const RedisUrl& url, RedisDialer& dialer) {
  return std::make_unique<SingleRoute>(url, dialer);
}

std::unique_ptr<RedisRoute> MakeRoute(const RedisUrl& url, RedisDialer& dialer) {
  switch (url.mode) {
    case RedisUrl::Mode::kSentinel: return MakeSentinelRoute(url, dialer);
    case RedisUrl::Mode::kCluster: return MakeClusterRoute(url, dialer);
    case RedisUrl::Mode::kSingle:
    case RedisUrl::Mode::kUnixSocket: break;
  }
  return MakeSingleRoute(url, dialer);
}

Status CheckSelect(const RedisReply& reply, const RedisUrl& url, const std::string& server) {
  if (!reply.is_error()) return {};
  const std::string what = server + ": database " + std::to_string(url.database);
  if (reply.text.find("out of range") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                what + ": the server has no database of that number (" + reply.text + ")");
  }
  return ErrorOf(reply, what);
}

}  // namespace prewarm::metadata
