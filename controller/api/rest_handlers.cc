#include "controller/api/rest_handlers.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "controller/api/call_end.h"
#include "controller/api/openapi.h"
#include "controller/api/rest_answer.h"
#include "controller/api/rest_json.h"
#include "controller/api/rest_query.h"
#include "controller/api/rest_routes.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller::rest {
namespace {

// For calls that change nothing and may take long: reading metadata.
constexpr auto kLongestCall = std::chrono::seconds(30);

Problem TookTooLong() {
  return {ProblemKind::kUnavailable,
          "too-slow",
          "The answer took too long; try again.",
          {},
          std::chrono::seconds(5)};
}

// "application/json", whatever parameters follow.
bool IsJson(std::string_view type) {
  constexpr std::string_view kJson = "application/json";
  const auto name = type.substr(0, type.find_first_of("; \t"));
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  return std::ranges::equal(name, kJson, same);
}

// The argument of the route, or what is wrong with it.
std::optional<Problem> CheckArgument(const RestCall& call, const char* name) {
  FieldProblems problems;
  CheckName(call.arguments.front(), name, problems);
  QueryFields(call.request.target, problems).Finish();
  if (problems.empty()) return std::nullopt;
  return std::move(problems).ToProblem();
}

// The request of a POST, or the answer that refuses it.
tl::expected<CreateRequest, net::HttpResponse> ReadCreate(const RestCall& call) {
  if (!IsJson(call.request.Header("Content-Type").value_or(""))) {
    return tl::unexpected(ProblemAnswer({ProblemKind::kInvalid,
                                         "unsupported-media-type",
                                         "Send the body as \"Content-Type: application/json\".",
                                         {},
                                         {}},
                                        415));
  }
  FieldProblems problems;
  QueryFields(call.request.target, problems).Finish();
  if (!problems.empty()) return tl::unexpected(ProblemAnswer(std::move(problems).ToProblem()));
  auto request = CreateRequestFromJson(call.request.body);
  if (!request) return tl::unexpected(ProblemAnswer(request.error()));
  return *std::move(request);
}

template <class View>
Task<ApiResult<View>> InTime(Task<ApiResult<View>> work) {
  const auto end =
      std::make_shared<CallEnd>(co_await boost::asio::this_coro::executor, kLongestCall);
  auto result = co_await end->Before(std::move(work));
  if (!result) co_return Refuse(TookTooLong());
  co_return *std::move(result);
}

// A list that is cut into pages: `list` gets the page.
template <class List>
net::HttpResponse PageAnswer(const RestCall& call, List list) {
  FieldProblems problems;
  QueryFields query(call.request.target, problems);
  const auto page = query.Page(kListPages);
  query.Finish();
  if (!problems.empty()) return ProblemAnswer(std::move(problems).ToProblem());
  return AnswerOf(list(page));
}

}  // namespace

Task<void> ListPrewarms(RestCall& call) {
  FieldProblems problems;
  QueryFields query(call.request.target, problems);
  const auto filter = query.Filter();
  const auto page = query.Page(kListPages);
  query.Finish();
  if (!problems.empty()) {
    co_return co_await call.reply.Send(ProblemAnswer(std::move(problems).ToProblem()));
  }
  co_await call.reply.Send(AnswerOf(call.parts.service.List(call.caller, filter, page)));
}

Task<void> CreatePrewarm(RestCall& call) {
  auto request = ReadCreate(call);
  if (!request) co_return co_await call.reply.Send(std::move(request).error());
  const auto created = co_await call.parts.service.Create(call.caller, *std::move(request));
  auto answer = AnswerOf(created);
  if (created) {
    if (created->created) answer.status = 201;
    answer.headers.emplace_back("Location", "/api/v1/prewarms/" + created->view.prewarm.id);
  }
  co_await call.reply.Send(std::move(answer));
}

Task<void> PlanPrewarm(RestCall& call) {
  auto request = ReadCreate(call);
  if (!request) co_return co_await call.reply.Send(std::move(request).error());
  const auto plan = co_await InTime(call.parts.service.Plan(call.caller, *std::move(request)));
  co_await call.reply.Send(AnswerOf(plan));
}

Task<void> GetPrewarm(RestCall& call) {
  if (const auto problem = CheckArgument(call, "id")) {
    co_return co_await call.reply.Send(ProblemAnswer(*problem));
  }
  const auto prewarm = co_await call.parts.service.Get(call.caller, call.arguments.front());
  co_await call.reply.Send(AnswerOf(prewarm));
}

Task<void> CancelPrewarm(RestCall& call) {
  if (const auto problem = CheckArgument(call, "id")) {
    co_return co_await call.reply.Send(ProblemAnswer(*problem));
  }
  const auto cancelled = co_await call.parts.service.Cancel(call.caller, call.arguments.front());
  co_await call.reply.Send(AnswerOf(cancelled));
}

Task<void> ListNodes(RestCall& call) {
  co_await call.reply.Send(PageAnswer(call, [&call](const PageRequest& page) {
    return call.parts.service.Nodes(call.caller, page);
  }));
}

Task<void> GetNode(RestCall& call) {
  if (const auto problem = CheckArgument(call, "name")) {
    co_return co_await call.reply.Send(ProblemAnswer(*problem));
  }
  co_await call.reply.Send(
      AnswerOf(call.parts.service.NodeNamed(call.caller, call.arguments.front())));
}

Task<void> ListVolumes(RestCall& call) {
  co_await call.reply.Send(PageAnswer(call, [&call](const PageRequest& page) {
    return call.parts.service.Volumes(call.caller, page);
  }));
}

Task<void> GetVolume(RestCall& call) {
  if (const auto problem = CheckArgument(call, "name")) {
    co_return co_await call.reply.Send(ProblemAnswer(*problem));
  }
  co_await call.reply.Send(
      AnswerOf(call.parts.service.VolumeNamed(call.caller, call.arguments.front())));
}

Task<void> ListFiles(RestCall& call) {
  FieldProblems problems;
  CheckName(call.arguments.front(), "name", problems);
  QueryFields query(call.request.target, problems);
  auto path = query.Text("path").value_or("");
  CheckPath(path, "path", problems);
  auto page = query.Page(kFilePages);
  query.Finish();
  if (!problems.empty()) {
    co_return co_await call.reply.Send(ProblemAnswer(std::move(problems).ToProblem()));
  }
  const auto files = co_await InTime(call.parts.service.Files(call.caller, call.arguments.front(),
                                                              std::move(path), std::move(page)));
  co_await call.reply.Send(AnswerOf(files));
}

Task<void> OpenApi(RestCall& call) {
  co_await call.reply.Send(
      {200, {{"Content-Type", "application/yaml; charset=utf-8"}}, std::string(OpenApiDocument())});
}

Task<void> Health(RestCall& call) { co_await call.reply.Send(call.parts.pages.Health()); }
Task<void> Ready(RestCall& call) { co_await call.reply.Send(call.parts.pages.Ready()); }
Task<void> MetricsPage(RestCall& call) { co_await call.reply.Send(call.parts.pages.MetricsPage()); }
Task<void> Config(RestCall& call) { co_await call.reply.Send(call.parts.pages.Config()); }

}  // namespace prewarm::controller::rest
