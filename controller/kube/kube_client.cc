#include "controller/kube/kube_client.h"

#include <boost/json/serialize.hpp>
#include <utility>
#include <vector>

#include "common/async/signal.h"
#include "common/net/stream.h"
#include "controller/kube/http_exchange.h"
#include "controller/kube/json_answer.h"
#include "controller/kube/kube_identity.h"
#include "controller/kube/metered_api.h"

namespace prewarm::controller::kube {
namespace {

std::string_view ContentTypeName(ContentType type) {
  switch (type) {
    case ContentType::kJson: return "application/json";
    case ContentType::kMergePatch: return "application/merge-patch+json";
    case ContentType::kJsonPatch: return "application/json-patch+json";
    case ContentType::kApplyPatch: return "application/apply-patch+yaml";
  }
  return "application/json";
}

std::string HostHeader(const KubeConfig& config) {
  const bool is_ipv6 = config.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + config.host + "]" : config.host) + ":" + std::to_string(config.port);
}

// May the request be sent again where it is not known whether the server has acted on it?
bool Repeatable(const KubeRequest& request) {
  return request.method == Method::kGet ||
         (request.method == Method::kPatch && request.content_type == ContentType::kApplyPatch);
}

Error AtPath(const std::string& path, Error error) {
  return std::move(error).Within("the Kubernetes API at " + path);
}

}  // namespace

class KubeClient::State final : public KubeApi {
 public:
  State(const boost::asio::any_io_executor& executor, const Clock& clock, KubeConfig config,
        KubeClientOptions options, std::unique_ptr<KubeIdentity> identity)
      : clock_(clock),
        config_(std::move(config)),
        options_(std::move(options)),
        identity_(std::move(identity)),
        slot_free_(executor) {}

  Task<Result<KubeAnswer>> Send(KubeRequest request) override;
  Task<Result<KubeAnswer>> Watch(WatchRequest request, WatchSink sink) override;

 private:
  struct Connection {
    std::unique_ptr<net::Stream> stream;
    bool reused = false;
  };
  // One of the connections that may be in use at the same time; given back by the destructor.
  class Slot {
   public:
    explicit Slot(State& state) : state_(state) { ++state_.busy_; }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() {
      --state_.busy_;
      state_.slot_free_.Notify();
    }

   private:
    State& state_;
  };

  [[nodiscard]] Duration Left(SteadyTime deadline) const {
    return std::max<Duration>(deadline - clock_.Now(), Duration(1));
  }
  [[nodiscard]] std::string Serialize(const KubeRequest& request) const;
  Task<Status> WaitForSlot(SteadyTime deadline);
  Task<Result<Connection>> Dial(SteadyTime deadline);
  Task<Result<Connection>> Take(bool fresh, SteadyTime deadline);
  void Keep(std::unique_ptr<net::Stream> stream, std::uint64_t generation);
  Task<Result<KubeAnswer>> SendOnce(const KubeRequest& request, SteadyTime deadline);
  Task<Result<KubeAnswer>> WatchOnce(const WatchRequest& request, const WatchSink& sink);

  const Clock& clock_;
  const KubeConfig config_;
  const KubeClientOptions options_;
  const std::unique_ptr<KubeIdentity> identity_;
  std::vector<std::unique_ptr<net::Stream>> idle_;
  std::uint64_t idle_generation_ = 0;  // of the credentials that idle_ was made with
  std::size_t busy_ = 0;
  Signal slot_free_;
};

std::string KubeClient::State::Serialize(const KubeRequest& request) const {
  std::string text = std::string(MethodName(request.method)) + " " + config_.path_prefix +
                     request.path + EncodeQuery(request.query) + " HTTP/1.1\r\n";
  const auto add = [&text](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
  };
  add("Host", HostHeader(config_));
  add("User-Agent", options_.user_agent);
  add("Accept", request.accept);
  const auto& token = identity_->current().token;
  if (!token.empty()) add("Authorization", "Bearer " + token.Reveal());
  std::string body;
  if (request.body) {
    body = boost::json::serialize(*request.body);
    add("Content-Type", ContentTypeName(request.content_type));
    add("Content-Length", std::to_string(body.size()));
  }
  return text + "\r\n" + body;
}

Task<Status> KubeClient::State::WaitForSlot(SteadyTime deadline) {
  while (busy_ >= options_.connections) {
    if (clock_.Now() >= deadline) {
      co_return Fail(ErrorCode::kTimeout, "no connection came free in time", Reason::kTimeout);
    }
    if (!co_await slot_free_.WaitFor(Left(deadline))) {
      co_return Fail(ErrorCode::kCancelled, "the request was stopped", Reason::kCancelled);
    }
  }
  co_return Status();
}

Task<Result<KubeClient::State::Connection>> KubeClient::State::Dial(SteadyTime deadline) {
  net::Endpoint endpoint{.host = config_.host,
                         .port = config_.port,
                         .tls = identity_->current().tls,
                         .tls_server_name = config_.tls_server_name};
  const auto limit = std::min(options_.connect, Left(deadline));
  CO_TRY(auto stream, co_await net::Connect(std::move(endpoint), limit));
  co_return Connection{std::move(stream), false};
}

Task<Result<KubeClient::State::Connection>> KubeClient::State::Take(bool fresh,
                                                                    SteadyTime deadline) {
  // A client certificate belongs to a connection, so that new credentials need new ones.
  if (std::exchange(idle_generation_, identity_->generation()) != identity_->generation()) {
    idle_.clear();
  }
  while (!fresh && !idle_.empty()) {
    auto stream = std::move(idle_.back());
    idle_.pop_back();
    if (stream->IdleAndOpen()) co_return Connection{std::move(stream), true};
  }
  co_return co_await Dial(deadline);
}

void KubeClient::State::Keep(std::unique_ptr<net::Stream> stream, std::uint64_t generation) {
  if (generation == idle_generation_ && idle_.size() < options_.connections) {
    idle_.push_back(std::move(stream));
  }
}

Task<Result<KubeAnswer>> KubeClient::State::SendOnce(const KubeRequest& request,
                                                     SteadyTime deadline) {
  for (bool fresh = false;; fresh = true) {
    CO_TRY(auto connection, co_await Take(fresh, deadline));
    const auto generation = identity_->generation();
    KubeAnswer answer;
    JsonAnswer body(options_.answer_limit);
    ExchangeReport report;
    const AnswerSink sink{[&](const AnswerHead& head) {
                            answer.status = head.status;
                            answer.retry_after = head.retry_after;
                            return body.Head(head);
                          },
                          [&](std::string_view piece) { return body.Feed(piece); }};
    const auto done =
        co_await Exchange(*connection.stream, clock_, Serialize(request), sink, deadline, report);
    // A kept connection that the server closed just now: it has not seen the request, or this one
    // can be sent twice.
    const bool went_stale = !done && connection.reused && report.silent &&
                            done.error().code == ErrorCode::kUnavailable && Repeatable(request);
    if (went_stale && !co_await Stopping()) continue;
    if (!done) co_return done.error();
    CO_TRY(answer.body, body.Take());
    if (report.reusable) Keep(std::move(connection.stream), generation);
    co_return answer;
  }
}

Task<Result<KubeAnswer>> KubeClient::State::Send(KubeRequest request) {
  const auto deadline = clock_.Now() + request.deadline;
  co_await identity_->Refresh(options_.credentials_age);
  if (auto free = co_await WaitForSlot(deadline); !free) {
    co_return AtPath(request.path, free.error());
  }
  const Slot slot(*this);
  const auto used = identity_->generation();
  auto answer = co_await SendOnce(request, deadline);
  if (answer && answer->status == 401 && co_await identity_->Replace(used)) {
    answer = co_await SendOnce(request, deadline);
  }
  if (!answer) co_return AtPath(request.path, std::move(answer).error());
  co_return answer;
}

Task<Result<KubeAnswer>> KubeClient::State::WatchOnce(const WatchRequest& request,
                                                      const WatchSink& sink) {
  const auto deadline = clock_.Now() + request.timeout + options_.watch_grace;
  KubeRequest get{.path = request.path, .query = request.query, .accept = request.accept};
  get.query.emplace_back("watch", "1");
  get.query.emplace_back("allowWatchBookmarks", "true");
  get.query.emplace_back("timeoutSeconds", std::to_string(request.timeout.count()));
  CO_TRY(auto connection, co_await Dial(deadline));
  KubeAnswer answer;
  JsonAnswer refusal(options_.answer_limit);
  WatchDecoder events(options_.line_limit);
  ExchangeReport report;
  const AnswerSink parts{[&](const AnswerHead& head) {
                           answer.status = head.status;
                           answer.retry_after = head.retry_after;
                           if (answer.ok() && request.on_open) request.on_open();
                           return refusal.Head(head);
                         },
                         [&](std::string_view piece) {
                           return answer.ok() ? events.Feed(piece, sink) : refusal.Feed(piece);
                         }};
  CO_TRY_STATUS(
      co_await Exchange(*connection.stream, clock_, Serialize(get), parts, deadline, report));
  if (answer.ok()) {
    CO_TRY_STATUS(events.Finish());
  } else {
    CO_TRY(answer.body, refusal.Take());
  }
  co_return answer;
}

Task<Result<KubeAnswer>> KubeClient::State::Watch(WatchRequest request, WatchSink sink) {
  co_await identity_->Refresh(options_.credentials_age);
  const auto used = identity_->generation();
  auto answer = co_await WatchOnce(request, sink);
  if (answer && answer->status == 401 && co_await identity_->Replace(used)) {
    answer = co_await WatchOnce(request, sink);
  }
  if (!answer) co_return AtPath(request.path, std::move(answer).error());
  co_return answer;
}

KubeClient::KubeClient(std::unique_ptr<KubeApi> api) : api_(std::move(api)) {}
KubeClient::~KubeClient() = default;

Result<std::unique_ptr<KubeClient>> KubeClient::Make(const boost::asio::any_io_executor& executor,
                                                     boost::asio::thread_pool& pool,
                                                     const Clock& clock, KubeConfig config,
                                                     KubeClientOptions options) {
  TRY(auto identity, KubeIdentity::Load(executor, pool, clock, config));
  auto* const meter = config.meter;
  std::unique_ptr<KubeApi> api = std::make_unique<State>(executor, clock, std::move(config),
                                                         std::move(options), std::move(identity));
  if (meter != nullptr) api = std::make_unique<MeteredApi>(std::move(api), clock, *meter);
  return std::unique_ptr<KubeClient>(new KubeClient(std::move(api)));
}

Task<Result<KubeAnswer>> KubeClient::Send(KubeRequest request) {
  return api_->Send(std::move(request));
}

Task<Result<KubeAnswer>> KubeClient::Watch(WatchRequest request, WatchSink sink) {
  return api_->Watch(std::move(request), std::move(sink));
}

}  // namespace prewarm::controller::kube
