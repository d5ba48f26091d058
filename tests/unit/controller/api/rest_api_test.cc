// The calls of the REST API, one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/controller/api/rest_rig.h"

namespace prewarm::controller::rest_test {
namespace {

using testing::HasSubstr;

constexpr auto kSpec = R"({"spec": {"volume": "models"}})";

TEST_F(RestApiTest, AcceptsAPrewarmAndSaysWhereItIs) {
  const auto answer = Ask("POST", "/api/v1/prewarms", kSpec);
  EXPECT_EQ(answer.status, 201U) << answer.body;
  EXPECT_EQ(Header(answer, "Content-Type"), "application/json");
  const auto document = Document(answer);
  EXPECT_EQ(Header(answer, "Location"),
            "/api/v1/prewarms/" + std::string(document.at("id").as_string()));
  EXPECT_EQ(document.at("namespace"), "team-a");
  EXPECT_EQ(Ask("GET", Header(answer, "Location")).body, answer.body);
}

TEST_F(RestApiTest, AnswersARepeatedSubmissionWithTheSamePrewarm) {
  const auto* body = R"({"spec": {"volume": "models"}, "idempotency_key": "release-42"})";
  const auto first = Ask("POST", "/api/v1/prewarms", body);
  const auto second = Ask("POST", "/api/v1/prewarms", body);
  EXPECT_EQ(first.status, 201U);
  EXPECT_EQ(second.status, 200U);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(Header(second, "Location"), Header(first, "Location"));
}

TEST_F(RestApiTest, PlansWithoutDoing) {
  service_.plan_.actions = {{"node-1", "order", 42}};
  service_.plan_.rejected = {{"node-2", "too small"}};
  const auto answer = Ask("POST", "/api/v1/prewarms:plan", kSpec);
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_EQ(Document(answer).at("actions").at(0).at("bytes"), 42);
  EXPECT_EQ(Document(answer).at("rejected").at(0).at("reason"), "too small");
  EXPECT_TRUE(service_.prewarms_.empty());
}

TEST_F(RestApiTest, CancelsAsOftenAsItIsTold) {
  service_.Add("pw-1", "team-a");
  for (int i = 0; i < 2; ++i) {
    const auto answer = Ask("DELETE", "/api/v1/prewarms/pw-1");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(Document(answer).at("state"), "cancelled");
  }
}

TEST_F(RestApiTest, FiltersAndPagesLists) {
  service_.next_page_token_ = "next";
  const auto answer =
      Ask("GET", "/api/v1/prewarms?volume=models&state=running&page_size=2&page_token=t%2B");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_EQ(Document(answer).at("next_page_token"), "next");
  ASSERT_EQ(service_.filters_.size(), 1U);
  EXPECT_EQ(service_.filters_[0].volume, "models");
  EXPECT_EQ(service_.filters_[0].state, PrewarmState::kRunning);
  EXPECT_EQ(service_.pages_[0].size, 2U);
  EXPECT_EQ(service_.pages_[0].token, "t+");
  Ask("GET", "/api/v1/nodes");
  EXPECT_EQ(service_.pages_[1].size, 50U);
  EXPECT_EQ(service_.pages_[1].token, "");
}

TEST_F(RestApiTest, ListsFiles) {
  service_.files_ = {{{"a/b\xff.bin", 1ULL << 40, 3}}, 1, 1ULL << 40, ""};
  const auto answer = Ask("GET", "/api/v1/volumes/models/files?path=a%2Fb+c&page_size=1000");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_EQ(service_.paths_, std::vector<std::string>{"a/b c"});
  EXPECT_EQ(service_.pages_[0].size, 1000U);
  EXPECT_EQ(Document(answer).at("files").at(0).at("path"), "a/b\xef\xbf\xbd.bin");
  EXPECT_EQ(Document(answer).at("files").at(0).at("bytes"), 1ULL << 40);
  Ask("GET", "/api/v1/volumes/models/files");
  EXPECT_EQ(service_.pages_[1].size, 100U);
}

TEST_F(RestApiTest, RefusesParametersThatItDoesNotKnowOrCannotUse) {
  const auto fields = [this](const std::string& target) {
    const auto answer = Ask("GET", target);
    EXPECT_EQ(answer.status, 400U) << target;
    return Fields(answer);
  };
  const std::string list = "/api/v1/prewarms";
  EXPECT_EQ(fields(list + "?pagesize=2"), "pagesize");
  EXPECT_EQ(fields(list + "?page_size=0"), "page_size");
  EXPECT_EQ(fields(list + "?page_size=501"), "page_size");
  EXPECT_EQ(fields(list + "?page_size=-1"), "page_size");
  EXPECT_EQ(fields(list + "?page_size=1x"), "page_size");
  EXPECT_EQ(fields(list + "?page_size=99999999999999999999999"), "page_size");
  EXPECT_EQ(fields(list + "?page_token=" + std::string(65, '1')), "page_token");
  EXPECT_EQ(fields(list + "?state=done"), "state");
  EXPECT_EQ(fields(list + "?volume="), "volume");
  EXPECT_EQ(fields(list + "?state=done&page_size=0&volume=a&volume=b&x=1"),
            "volume state page_size x");
  EXPECT_EQ(fields("/api/v1/volumes/models/files?page_size=1001"), "page_size");
  EXPECT_EQ(fields("/api/v1/nodes/node-1?verbose=1"), "verbose");
  EXPECT_EQ(fields("/api/v1/nodes/" + std::string(300, 'x')), "name");
  EXPECT_THAT(Ask("GET", list + "?pagesize=2").body, HasSubstr("did you mean page_size?"));
}

TEST_F(RestApiTest, DemandsJson) {
  for (const auto* type : {"application/json", "application/json; charset=utf-8",
                           "Application/JSON ; charset=utf-8"}) {
    auto request = Request("POST", "/api/v1/prewarms:plan", kSpec);
    request.headers.back().second = type;
    EXPECT_EQ(Answer(request).status, 200U) << type;
  }
  for (const auto* type :
       {"", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"}) {
    auto request = Request("POST", "/api/v1/prewarms", kSpec);
    request.headers.back().second = type;
    const auto answer = Answer(request);
    EXPECT_EQ(answer.status, 415U) << type;
    EXPECT_THAT(answer.body, HasSubstr("Content-Type: application/json"));
  }
  auto request = Request("POST", "/api/v1/prewarms", kSpec);
  request.headers.pop_back();
  EXPECT_EQ(Answer(request).status, 415U);
}

TEST_F(RestApiTest, TellsEveryKindOfProblem) {
  const std::map<ProblemKind, unsigned> statuses{
      {ProblemKind::kInvalid, 400},       {ProblemKind::kUnauthenticated, 401},
      {ProblemKind::kForbidden, 403},     {ProblemKind::kNotFound, 404},
      {ProblemKind::kConflict, 409},      {ProblemKind::kTooLarge, 413},
      {ProblemKind::kUnprocessable, 422}, {ProblemKind::kTooMany, 429},
      {ProblemKind::kInternal, 500},      {ProblemKind::kUnavailable, 503}};
  for (const auto& [kind, status] : statuses) {
    service_.FailWith({kind,
                       "some-word",
                       "It is \"so\".",
                       {{"spec.paths[2]", "wrong"}},
                       std::chrono::seconds(7)});
    const auto answer = Ask("POST", "/api/v1/prewarms", kSpec);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(Header(answer, "Content-Type"), "application/problem+json");
    EXPECT_EQ(Header(answer, "Retry-After"), "7");
    const auto document = Document(answer);
    EXPECT_EQ(document.at("type"), "urn:prewarm:problem:some-word");
    EXPECT_EQ(document.at("status"), status);
    EXPECT_EQ(document.at("detail"), "It is \"so\".");
    EXPECT_EQ(document.at("errors").at(0).at("field"), "spec.paths[2]");
    EXPECT_EQ(document.at("errors").at(0).at("detail"), "wrong");
    EXPECT_FALSE(document.at("title").as_string().empty());
  }
}

TEST_F(RestApiTest, ServesThePagesOfTheProcess) {
  EXPECT_EQ(Ask("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(Ask("GET", "/readyz").body, "ready\n");
  EXPECT_EQ(Ask("GET", "/config").body, "key: value\n");
  EXPECT_THAT(Ask("GET", "/openapi.yaml").body, testing::StartsWith("openapi: 3.1.0\n"));
  EXPECT_EQ(Header(Ask("GET", "/openapi.yaml"), "Content-Type"), "application/yaml; charset=utf-8");
}

TEST_F(RestApiTest, CountsRequestsByRouteAndStatus) {
  Ask("GET", "/api/v1/prewarms/one");
  Ask("GET", "/api/v1/prewarms/two");
  Ask("GET", "/api/v1/prewarms");
  Ask("GET", "/some/path");
  const auto page = Ask("GET", "/metrics").body;
  const std::string name = "prewarm_controller_rest_requests_total";
  EXPECT_THAT(page, HasSubstr(name + R"({route="/api/v1/prewarms/{id}",status="404"} 2)"));
  EXPECT_THAT(page, HasSubstr(name + R"({route="/api/v1/prewarms",status="200"} 1)"));
  EXPECT_THAT(page, HasSubstr(name + R"({route="none",status="404"} 1)"));
  EXPECT_THAT(
      page,
      HasSubstr(
          R"(prewarm_controller_rest_request_seconds_count{route="/api/v1/prewarms/{id}"} 2)"));
}

TEST_F(RestApiTest, AnswersAnyBodyWithAProblem) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good =
      R"({"spec":{"volume":"models","paths":["a","b"],"nodes":{"names":["n"],"labels":{"k":"v"},)"
      R"("count":2},"priority":3,"deadline":"2026-11-25T12:30:00Z","refuse_if_late":true,)"
      R"("keep":false,"model":"m"},"idempotency_key":"k"})";
  ASSERT_EQ(Ask("POST", "/api/v1/prewarms:plan", good).status, 200U);
  std::size_t refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string body = good;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const auto at = random() % body.size();
      switch (random() % 3) {
        case 0: body[at] = static_cast<char>(random()); break;
        case 1: body.erase(at, 1 + random() % 10); break;
        default: body.insert(at, body.substr(random() % body.size(), random() % 20)); break;
      }
      if (body.empty()) body = "{";
    }
    const auto answer = Ask("POST", "/api/v1/prewarms:plan", body);
    ASSERT_TRUE(answer.status == 200 || answer.status == 400) << body;
    Document(answer);
    refused += answer.status == 400 ? 1 : 0;
  }
  EXPECT_GT(refused, 1000U) << "the test would prove little";
}

}  // namespace
}  // namespace prewarm::controller::rest_test
