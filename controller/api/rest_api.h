// The REST API: lets a request in or refuses it, by the one table of routes, and has it answered.
// Lives on the control executor.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/net/http_handler.h"
#include "common/process/metrics.h"
#include "controller/api/rest_routes.h"

namespace prewarm::controller {

class RestApi {
 public:
  // What the parts refer to outlives this, and this the server that asks the handler.
  explicit RestApi(const RestParts& parts) : parts_(parts) {}
  RestApi(const RestApi&) = delete;
  RestApi& operator=(const RestApi&) = delete;

  net::HttpHandler Handler();

 private:
  Task<void> Serve(const net::HttpServerRequest& request, net::HttpReply& reply);
  Task<void> LetIn(RouteMatch match, const net::HttpServerRequest& request, net::HttpReply& reply);
  void Count(std::string_view route, unsigned status, Duration took);

  const RestParts parts_;
  // By route and status; made when they are first needed.
  std::map<std::pair<std::string_view, unsigned>, Counter> requests_;
  std::map<std::string_view, Histogram> seconds_;
};

}  // namespace prewarm::controller
