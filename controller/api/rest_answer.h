// HTTP answers of the REST API: JSON, and problem documents as RFC 9457 has them.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "common/net/http_handler.h"
#include "controller/api/problem.h"
#include "controller/api/rest_json.h"

namespace prewarm::controller {

unsigned HttpStatusOf(ProblemKind kind);

// The document, also where it is an event of a stream.
boost::json::object ToJson(const Problem& problem, unsigned status);

net::HttpResponse JsonAnswer(const boost::json::object& document, unsigned status = 200);
net::HttpResponse ProblemAnswer(const Problem& problem);
// For refusals that only HTTP knows: 404 of a route, 405, 415.
net::HttpResponse ProblemAnswer(const Problem& problem, unsigned status);

template <class View>
net::HttpResponse AnswerOf(const ApiResult<View>& result) {
  return result ? JsonAnswer(ToJson(*result)) : ProblemAnswer(result.error());
}

}  // namespace prewarm::controller
