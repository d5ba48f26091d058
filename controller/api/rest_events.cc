// GET /api/v1/prewarms/{id}/events: a prewarm as server-sent events, from now until it has ended.
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "common/async/deadline.h"
#include "controller/api/rest_answer.h"
#include "controller/api/rest_handlers.h"
#include "controller/api/rest_json.h"
#include "controller/api/rest_query.h"
#include "controller/api/rest_routes.h"

namespace prewarm::controller::rest {
namespace {

using Change = PrewarmService::Change;

// Silence is broken so often, for proxies that close what is silent, and to find who left unseen.
constexpr auto kLongestSilence = std::chrono::seconds(15);
constexpr auto kBetweenEvents = std::chrono::milliseconds(100);
// Where the browser of a dashboard lost us: how soon it is to come back.
constexpr std::string_view kBegin = "retry: 2000\n\n";
constexpr std::string_view kStillHere = ": still here\n\n";

// JSON is one line, so that it is one line of data.
std::string ChangeEvent(const Change& change) {
  return "event: prewarm\nid: " + std::to_string(change.version) +
         "\ndata: " + boost::json::serialize(ToJson(change.view)) + "\n\n";
}

std::string ProblemEvent(const Problem& problem) {
  return "event: problem\ndata: " +
         boost::json::serialize(ToJson(problem, HttpStatusOf(problem.kind))) + "\n\n";
}

// A browser that reconnects after the last event is told by 204 that there will be no more.
bool HasSeenTheEnd(const net::HttpServerRequest& request, const Change& change) {
  return IsFinal(change.view.prewarm.state) &&
         request.Header("Last-Event-ID") == std::to_string(change.version);
}

Task<void> Follow(RestCall& call, std::string id, Change change) {
  if (!co_await call.reply.Write(std::string(kBegin) + ChangeEvent(change))) co_return;
  while (!IsFinal(change.view.prewarm.state) && co_await SleepFor(kBetweenEvents)) {
    auto next = co_await call.parts.service.Watch(call.caller, id, change.version, kLongestSilence);
    if (co_await Stopping()) co_return;
    // A token that expires, or is taken back, ends what was begun with it. That nobody can say so
    // at the moment does not.
    if (auto still = co_await call.parts.authenticator.Find(call.access);
        !still && still.error().kind != ProblemKind::kUnavailable) {
      next = Refuse(std::move(still).error());
    }
    if (!next) {
      const auto ignored = co_await call.reply.Write(ProblemEvent(next.error()));
      static_cast<void>(ignored);  // it is the last word in any case
      co_return;
    }
    const bool changed = next->version != change.version;
    change = *std::move(next);
    const auto written =
        co_await call.reply.Write(changed ? ChangeEvent(change) : std::string(kStillHere));
    if (!written) co_return;
  }
}

}  // namespace

Task<void> FollowPrewarm(RestCall& call) {
  FieldProblems problems;
  CheckName(call.arguments.front(), "id", problems);
  QueryFields(call.request.target, problems).Finish();
  if (!problems.empty()) {
    co_return co_await call.reply.Send(ProblemAnswer(std::move(problems).ToProblem()));
  }
  const std::string& id = call.arguments.front();
  auto now = co_await call.parts.service.Watch(call.caller, id, 0, Duration::zero());
  if (!now) co_return co_await call.reply.Send(ProblemAnswer(now.error()));
  if (HasSeenTheEnd(call.request, *now)) co_return co_await call.reply.Send({204, {}, ""});
  co_await call.reply.SendStream({200,
                                  {{"Content-Type", "text/event-stream"},
                                   {"Cache-Control", "no-store"},
                                   {"X-Accel-Buffering", "no"}},
                                  ""},
                                 Follow(call, id, *std::move(now)));
}

}  // namespace prewarm::controller::rest
