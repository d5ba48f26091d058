// The REST API as one table: which paths there are, who may call them and what answers. A route
// without a policy does not compile, and what is not in the table is refused.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/net/http_handler.h"
#include "common/process/admin_port.h"
#include "controller/api/authenticator.h"
#include "controller/api/prewarm_service.h"

namespace prewarm::controller {

// What every call may use.
struct RestParts {
  PrewarmService& service;
  Authenticator& authenticator;
  const AdminPages& pages;
  const Clock& clock;
  Metrics* metrics = nullptr;  // counts requests there
};

// One call that was let in.
struct RestCall {
  const RestParts& parts;
  const net::HttpServerRequest& request;
  net::HttpReply& reply;
  AccessRequest access;                // as it was asked for
  Caller caller;                       // nobody, where anybody may call
  std::vector<std::string> arguments;  // what stands for the {…} of the pattern, decoded
};

// Who may call: anybody, or who has a right. There is no default.
class RoutePolicy {
 public:
  static constexpr RoutePolicy Anybody() { return RoutePolicy(std::nullopt); }
  static constexpr RoutePolicy Needs(Right right) { return RoutePolicy(right); }
  [[nodiscard]] constexpr std::optional<Right> right() const { return right_; }

 private:
  explicit constexpr RoutePolicy(std::optional<Right> right) : right_(right) {}
  std::optional<Right> right_;
};

struct Route {
  std::string_view method;  // GET stands for HEAD, too
  std::string_view pattern;
  RoutePolicy policy;
  Task<void> (*handle)(RestCall& call);
};

std::span<const Route> RestRoutes();

struct RouteMatch {
  const Route* route = nullptr;  // none: the path is not known, or not with this method
  std::vector<std::string> arguments;
  std::string allow;  // the methods that the path is known with; empty: it is not
};
RouteMatch MatchRoute(std::string_view method, const std::vector<std::string>& segments);

}  // namespace prewarm::controller
