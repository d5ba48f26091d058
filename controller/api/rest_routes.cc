#include "controller/api/rest_routes.h"

#include <algorithm>
#include <array>

#include "controller/api/rest_handlers.h"

namespace prewarm::controller {
namespace {

constexpr auto kAnybody = RoutePolicy::Anybody();
constexpr RoutePolicy May(Action action, Subject subject) {
  return RoutePolicy::Needs({action, subject});
}
constexpr auto kList = Action::kList;
constexpr auto kGet = Action::kGet;
constexpr auto kPrewarms = Subject::kPrewarms;
constexpr auto kNodes = Subject::kNodes;
constexpr auto kVolumes = Subject::kVolumes;

constexpr auto kRoutes = std::to_array<Route>({
    {"GET", "/api/v1/prewarms", May(kList, kPrewarms), rest::ListPrewarms},
    {"POST", "/api/v1/prewarms", May(Action::kCreate, kPrewarms), rest::CreatePrewarm},
    {"POST", "/api/v1/prewarms:plan", May(Action::kCreate, kPrewarms), rest::PlanPrewarm},
    {"GET", "/api/v1/prewarms/{id}", May(kGet, kPrewarms), rest::GetPrewarm},
    {"DELETE", "/api/v1/prewarms/{id}", May(Action::kDelete, kPrewarms), rest::CancelPrewarm},
    {"GET", "/api/v1/prewarms/{id}/events", May(Action::kWatch, kPrewarms), rest::FollowPrewarm},
    {"GET", "/api/v1/nodes", May(kList, kNodes), rest::ListNodes},
    {"GET", "/api/v1/nodes/{name}", May(kGet, kNodes), rest::GetNode},
    {"GET", "/api/v1/volumes", May(kList, kVolumes), rest::ListVolumes},
    {"GET", "/api/v1/volumes/{name}", May(kGet, kVolumes), rest::GetVolume},
    {"GET", "/api/v1/volumes/{name}/files", May(kGet, kVolumes), rest::ListFiles},
    {"GET", "/openapi.yaml", kAnybody, rest::OpenApi},
    {"GET", "/healthz", kAnybody, rest::Health},
    {"GET", "/readyz", kAnybody, rest::Ready},
    {"GET", "/metrics", May(kGet, Subject::kMetrics), rest::MetricsPage},
    {"GET", "/config", May(kGet, Subject::kConfig), rest::Config},
});

// The arguments, if the path fits. An empty segment is no argument.
std::optional<std::vector<std::string>> Fit(std::string_view pattern,
                                            const std::vector<std::string>& segments) {
  std::vector<std::string> arguments;
  for (const std::string& segment : segments) {
    if (pattern.empty()) return std::nullopt;
    pattern.remove_prefix(1);
    const auto piece = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(piece.size());
    if (piece.starts_with('{')) {
      if (segment.empty()) return std::nullopt;
      arguments.push_back(segment);
    } else if (piece != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty()) return std::nullopt;
  return arguments;
}

void AddMethod(std::string_view method, std::string& allow) {
  allow += (allow.empty() ? "" : ", ") + std::string(method == "GET" ? "GET, HEAD" : method);
}

}  // namespace

std::span<const Route> RestRoutes() { return kRoutes; }

RouteMatch MatchRoute(std::string_view method, const std::vector<std::string>& segments) {
  RouteMatch match;
  for (const Route& route : kRoutes) {
    auto arguments = Fit(route.pattern, segments);
    if (!arguments) continue;
    AddMethod(route.method, match.allow);
    if (method != route.method && (method != "HEAD" || route.method != "GET")) continue;
    match.route = &route;
    match.arguments = *std::move(arguments);
  }
  return match;
}

}  // namespace prewarm::controller
