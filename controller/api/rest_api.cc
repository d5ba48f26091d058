#include "controller/api/rest_api.h"

#include <chrono>
#include <optional>

#include "controller/api/rest_answer.h"

namespace prewarm::controller {
namespace {

constexpr std::string_view kNoRoute = "none";

// Notes what status the answer has.
class NotedReply final : public net::HttpReply {
 public:
  explicit NotedReply(net::HttpReply& reply) : reply_(reply) {}
  Task<void> Send(net::HttpResponse response) override {
    status_ = response.status;
    return reply_.Send(std::move(response));
  }
  Task<void> SendStream(net::HttpResponse head, Task<void> producer) override {
    status_ = head.status;
    return reply_.SendStream(std::move(head), std::move(producer));
  }
  Task<Status> Write(std::string_view piece) override { return reply_.Write(piece); }
  [[nodiscard]] unsigned status() const { return status_; }

 private:
  net::HttpReply& reply_;
  unsigned status_ = 0;
};

net::HttpResponse NoSuchPath() {
  return ProblemAnswer({ProblemKind::kNotFound,
                        "no-such-path",
                        "There is nothing at this path; /openapi.yaml tells what there is.",
                        {},
                        {}});
}

net::HttpResponse NoSuchMethod(const std::string& allow) {
  auto answer = ProblemAnswer(
      {ProblemKind::kInvalid, "no-such-method", "This path is known with " + allow + ".", {}, {}},
      405);
  answer.headers.emplace_back("Allow", allow);
  return answer;
}

// Given twice, a header counts as not given: there is no telling which one a proxy has checked.
std::optional<std::string> OnlyHeader(const net::HttpServerRequest& request,
                                      std::string_view name) {
  const auto first = request.Header(name);
  if (!first || request.Count(name) != 1) return std::nullopt;
  return std::string(*first);
}

AccessRequest AccessOf(const net::HttpServerRequest& request, const RouteMatch& match,
                       Right right) {
  return {OnlyHeader(request, "Authorization"), right,
          OnlyHeader(request, kNamespaceHeader).value_or(""),
          match.arguments.empty() ? "" : match.arguments.front()};
}

}  // namespace

net::HttpHandler RestApi::Handler() {
  return [this](const net::HttpServerRequest& request, net::HttpReply& reply) {
    return Serve(request, reply);
  };
}

Task<void> RestApi::Serve(const net::HttpServerRequest& request, net::HttpReply& reply) {
  const auto begin = parts_.clock.Now();
  NotedReply noted(reply);
  auto match = MatchRoute(request.method, request.target.segments);
  const auto route = match.route != nullptr ? match.route->pattern : kNoRoute;
  if (match.route != nullptr) {
    co_await LetIn(std::move(match), request, noted);
  } else if (match.allow.empty()) {
    co_await noted.Send(NoSuchPath());
  } else {
    co_await noted.Send(NoSuchMethod(match.allow));
  }
  Count(route, noted.status(), parts_.clock.Now() - begin);
}

// Nothing of the request is looked at before the caller is known.
Task<void> RestApi::LetIn(RouteMatch match, const net::HttpServerRequest& request,
                          net::HttpReply& reply) {
  RestCall call{parts_, request, reply, {}, {}, {}};
  if (const auto right = match.route->policy.right()) {
    call.access = AccessOf(request, match, *right);
    auto caller = co_await parts_.authenticator.Find(call.access);
    if (!caller) co_return co_await reply.Send(ProblemAnswer(caller.error()));
    call.caller = *std::move(caller);
  }
  call.arguments = std::move(match.arguments);
  co_await match.route->handle(call);
}

void RestApi::Count(std::string_view route, unsigned status, Duration took) {
  if (parts_.metrics == nullptr) return;
  const std::string name(route);
  auto requests = requests_.find({route, status});
  if (requests == requests_.end()) {
    const auto counter = parts_.metrics->AddCounter(
        "prewarm_controller_rest_requests_total", "REST requests by route and HTTP status.",
        {{"route", name}, {"status", std::to_string(status)}});
    requests = requests_.emplace(std::pair(route, status), counter).first;
  }
  requests->second.Add();
  if (status == 200 && route.ends_with("/events")) return;  // a stream takes as long as its prewarm
  auto seconds = seconds_.find(route);
  if (seconds == seconds_.end()) {
    const auto histogram = parts_.metrics->AddHistogram(
        "prewarm_controller_rest_request_seconds", "How long REST requests took.",
        GrowingBuckets(0.0005, 4, 9), {{"route", name}});
    seconds = seconds_.emplace(route, histogram).first;
  }
  seconds->second.Observe(std::chrono::duration<double>(took).count());
}

}  // namespace prewarm::controller
