// Who may call what, for every route that there is.
#include <gtest/gtest.h>

#include "tests/unit/controller/api/rest_rig.h"

namespace prewarm::controller::rest_test {
namespace {

class RestAccess : public RestApiTest {
 protected:
  RestAccess() { service_.Add("pw-1", "team-a"); }

  // A path that fits the pattern and names what there is.
  static std::string PathOf(const Route& route) {
    std::string path(route.pattern);
    const auto argument = path.find('{');
    if (argument == std::string::npos) return path;
    const auto name = path.find("prewarms") != std::string::npos ? "pw-1"
                      : path.find("nodes") != std::string::npos  ? "node-1"
                                                                 : "models";
    return path.replace(argument, path.find('}') - argument + 1, name);
  }
  unsigned StatusOf(const Route& route, const std::string& token,
                    const std::string& body = R"({"spec": {"volume": "models"}})") {
    const auto answer = Ask(std::string(route.method), PathOf(route), body, token);
    if (answer.status == 401) {
      EXPECT_EQ(Header(answer, "WWW-Authenticate"), "Bearer realm=\"prewarm\"");
    }
    if (answer.status == 401 || answer.status == 403) {
      EXPECT_EQ(Header(answer, "Content-Type"), "application/problem+json");
    }
    return answer.status;
  }
};

std::string OnlyToken(Verb verb) {
  switch (verb) {
    case Verb::kGet: return "only-get-token";
    case Verb::kCreate: return "only-create-token";
    case Verb::kCancel: return "only-cancel-token";
    case Verb::kMetrics: return "only-metrics-token";
  }
  return "";
}

TEST_F(RestAccess, IsForThoseWithAValidTokenOnEveryRouteThatIsNotForAnybody) {
  std::size_t closed = 0;
  for (const Route& route : RestRoutes()) {
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.pattern));
    const bool open = !route.policy.right();
    closed += open ? 0 : 1;
    for (const auto* token : {"", "unknown-token", "expired-token", "team-a-toke", "x"}) {
      EXPECT_EQ(StatusOf(route, token), open ? 200U : 401U) << token;
      // Who is not known learns nothing of what the request would have met.
      if (!open) EXPECT_EQ(StatusOf(route, token, "nonsense"), 401U) << token;
    }
  }
  EXPECT_EQ(closed, 13U) << "a route changed who may call: is that meant?";
  EXPECT_TRUE(service_.created_.empty());
}

TEST_F(RestAccess, NeedsTheVerbOfTheRouteAndNoOther) {
  for (const Route& route : RestRoutes()) {
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.pattern));
    if (!route.policy.right()) continue;
    service_.Add("pw-1", "team-a").prewarm.state = PrewarmState::kSucceeded;
    for (const auto verb : {Verb::kGet, Verb::kCreate, Verb::kCancel, Verb::kMetrics}) {
      const auto status = StatusOf(route, OnlyToken(verb));
      if (verb == VerbOf(*route.policy.right())) {
        EXPECT_TRUE(status == 200 || status == 201) << status;
      } else {
        EXPECT_EQ(status, 403U);
      }
    }
  }
}

TEST_F(RestAccess, ShowsNothingOfAnotherNamespace) {
  for (const Route& route : RestRoutes()) {
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.pattern));
    service_.Add("pw-1", "team-a").prewarm.state = PrewarmState::kSucceeded;
    if (route.pattern.find("prewarms/{id}") != std::string_view::npos) {
      EXPECT_EQ(StatusOf(route, "team-a-token"), 200U);
      EXPECT_EQ(StatusOf(route, "team-b-token"), 404U);
      // What is foreign and what is not there look alike.
      const auto foreign = Ask(std::string(route.method), PathOf(route), "", "team-b-token");
      service_.prewarms_.clear();
      EXPECT_EQ(Ask(std::string(route.method), PathOf(route), "", "team-b-token").body,
                foreign.body);
    }
    if (route.pattern.find("volumes/{name}") != std::string_view::npos) {
      EXPECT_EQ(StatusOf(route, "team-a-token"), 200U);
      EXPECT_EQ(StatusOf(route, "team-b-token"), 404U);
    }
  }
  service_.Add("pw-1", "team-a");
  EXPECT_EQ(Document(Ask("GET", "/api/v1/prewarms", "", "team-b-token")).at("prewarms"),
            boost::json::array());
  EXPECT_EQ(Document(Ask("GET", "/api/v1/volumes", "", "team-b-token")).at("volumes"),
            boost::json::array());
}

TEST_F(RestAccess, AsksAboutWhoIsNotKnownAtOnceAndSaysWhatTheCallIsAbout) {
  auto request = Request("DELETE", "/api/v1/prewarms/team-a.pw-1", "", "asked-token");
  request.headers.emplace_back("prewarm-namespace", "team-a");
  service_.Add("team-a.pw-1", "team-a");
  EXPECT_EQ(Answer(request).status, 200U);
  ASSERT_EQ(authenticator_.asked_.size(), 1U);
  EXPECT_EQ(authenticator_.asked_[0].right, (Right{Action::kDelete, Subject::kPrewarms}));
  EXPECT_EQ(authenticator_.asked_[0].name_space, "team-a");
  EXPECT_EQ(authenticator_.asked_[0].object, "team-a.pw-1");
  authenticator_.judge_ =
      Refuse({ProblemKind::kUnavailable, "cannot-ask", "Away.", {}, std::chrono::seconds(2)});
  const auto away = Ask("POST", "/api/v1/prewarms", "nonsense", "asked-token");
  EXPECT_EQ(away.status, 503U) << "whatever the request says";
  EXPECT_EQ(Header(away, "Retry-After"), "2");
}

TEST_F(RestAccess, HoldsTheTokensOfTheFileToTheirNamespace) {
  auto request = Request("GET", "/api/v1/prewarms");
  request.headers.emplace_back("Prewarm-Namespace", "team-a");
  EXPECT_EQ(Answer(request).status, 200U);
  request.headers.back().second = "team-b";
  EXPECT_EQ(Answer(request).status, 403U);
}

TEST_F(RestAccess, TakesNoHeaderTwice) {
  auto request = Request("GET", "/api/v1/prewarms");
  EXPECT_EQ(Answer(request).status, 200U);
  request.headers.emplace_back("Authorization", "Bearer team-b-token");
  EXPECT_EQ(Answer(request).status, 401U);
}

TEST_F(RestAccess, RefusesWhatIsNotInTheTable) {
  for (const auto* path :
       {"/", "/api", "/api/v1", "/api/v1/", "/api/v1/prewarms/", "/api/v2/prewarms",
        "/api/v1/prewarms/pw-1/", "/api/v1/prewarms/pw-1/tasks", "/api/v1//prewarms",
        "/api/v1/prewarms:cancel", "/debug/pprof", "/metrics/", "/openapi.json"}) {
    EXPECT_EQ(Ask("GET", path).status, 404U) << path;
  }
  const auto answer = Ask("PUT", "/api/v1/prewarms");
  EXPECT_EQ(answer.status, 405U);
  EXPECT_EQ(Header(answer, "Allow"), "GET, HEAD, POST");
  EXPECT_EQ(Header(Ask("POST", "/api/v1/prewarms/pw-1"), "Allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(Header(Ask("GET", "/api/v1/prewarms:plan"), "Allow"), "POST");
  EXPECT_EQ(Ask("get", "/api/v1/prewarms").status, 405U) << "methods have one spelling";
}

template <class Any>
concept NeedsNoPolicy =
    requires { Any{"GET", "/x"}; } || std::is_default_constructible_v<RoutePolicy>;

TEST(Route, DoesNotCompileWithoutAPolicy) {
  static_assert(!NeedsNoPolicy<Route>);
  static_assert(requires { Route{"GET", "/x", RoutePolicy::Anybody(), nullptr}; });
}

TEST(MatchRoute, TakesArgumentsAsTheyAre) {
  const auto match = MatchRoute("HEAD", {"api", "v1", "volumes", "a/b {x}", "files"});
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->pattern, "/api/v1/volumes/{name}/files");
  EXPECT_EQ(match.arguments, std::vector<std::string>{"a/b {x}"});
}

}  // namespace
}  // namespace prewarm::controller::rest_test
