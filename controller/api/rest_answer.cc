#include "controller/api/rest_answer.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "common/base/utf8.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

json::string Text(std::string_view bytes) {
  const auto text = ToUtf8(bytes);
  return json::string(text.data(), text.size());
}

// What every problem of a status is, whatever the case.
const char* TitleOf(unsigned status) {
  switch (status) {
    case 400: return "The request is wrong";
    case 401: return "Who calls is not known";
    case 403: return "Not allowed";
    case 404: return "Not found";
    case 405: return "The method is not known here";
    case 409: return "In conflict with what there is";
    case 413: return "Too large";
    case 415: return "Not a type of body that is understood";
    case 422: return "It cannot be done";
    case 429: return "Too many requests";
    case 503: return "Not now";
    default: return "The controller failed";
  }
}

net::HttpHeaders HeadersFor(const char* type) {
  return {
      {"Content-Type", type}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}};
}

}  // namespace

unsigned HttpStatusOf(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::kInvalid: return 400;
    case ProblemKind::kUnauthenticated: return 401;
    case ProblemKind::kForbidden: return 403;
    case ProblemKind::kNotFound: return 404;
    case ProblemKind::kConflict: return 409;
    case ProblemKind::kTooLarge: return 413;
    case ProblemKind::kUnprocessable: return 422;
    case ProblemKind::kTooMany: return 429;
    case ProblemKind::kUnavailable: return 503;
    case ProblemKind::kInternal: break;
  }
  return 500;
}

json::object ToJson(const Problem& problem, unsigned status) {
  json::array errors;
  for (const auto& [field, detail] : problem.fields) {
    errors.push_back({{"field", Text(field)}, {"detail", Text(detail)}});
  }
  const std::string type =
      problem.type.empty() ? "about:blank" : "urn:prewarm:problem:" + problem.type;
  return {{"type", Text(type)},
          {"title", TitleOf(status)},
          {"status", status},
          {"detail", Text(problem.detail)},
          {"errors", std::move(errors)}};
}

net::HttpResponse JsonAnswer(const json::object& document, unsigned status) {
  return {status, HeadersFor("application/json"), json::serialize(document) + "\n"};
}

net::HttpResponse ProblemAnswer(const Problem& problem) {
  return ProblemAnswer(problem, HttpStatusOf(problem.kind));
}

net::HttpResponse ProblemAnswer(const Problem& problem, unsigned status) {
  net::HttpResponse answer{status, HeadersFor("application/problem+json"),
                           json::serialize(ToJson(problem, status)) + "\n"};
  if (problem.retry_after) {
    answer.headers.emplace_back("Retry-After", std::to_string(problem.retry_after->count()));
  }
  if (status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"prewarm\"");
  return answer;
}

}  // namespace prewarm::controller
