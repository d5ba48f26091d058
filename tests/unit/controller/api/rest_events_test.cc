// A prewarm as server-sent events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/api/rest_rig.h"

namespace prewarm::controller::rest_test {
namespace {

using std::chrono_literals::operator""ms;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kPath = "/api/v1/prewarms/pw-1/events";

class RestEvents : public RestApiTest {
 protected:
  RestEvents() { service_.Add("pw-1", "team-a").prewarm.state = PrewarmState::kRunning; }
  void Follow(const net::HttpServerRequest& request) { Serve(request, reply_); }

  // The state that an event tells.
  static std::string StateIn(const std::string& event) {
    const auto begin = event.find("data: ") + 6;
    const auto data = event.substr(begin, event.find('\n', begin) - begin);
    boost::system::error_code error;
    const auto value = boost::json::parse(data, error);
    if (error || !event.ends_with("\n\n")) return "not an event: " + event;
    return std::string(value.at("state").as_string());
  }

  KeptReply reply_;
};

TEST_F(RestEvents, TellsEveryChangeUntilTheEnd) {
  reply_.on_piece_ = [this](std::size_t count) {
    service_.Change("pw-1", count == 1 ? PrewarmState::kWarm : PrewarmState::kSucceeded);
  };
  Follow(Request("GET", kPath));
  EXPECT_EQ(reply_.answer_->status, 200U);
  EXPECT_EQ(Header(*reply_.answer_, "Content-Type"), "text/event-stream");
  ASSERT_EQ(reply_.pieces_.size(), 3U);
  EXPECT_THAT(reply_.pieces_[0], StartsWith("retry: 2000\n\nevent: prewarm\nid: 1\ndata: {"));
  EXPECT_EQ(StateIn(reply_.pieces_[0]), "running");
  EXPECT_THAT(reply_.pieces_[1], StartsWith("event: prewarm\nid: 2\ndata: {"));
  EXPECT_EQ(StateIn(reply_.pieces_[1]), "warm");
  EXPECT_EQ(StateIn(reply_.pieces_[2]), "succeeded");
}

TEST_F(RestEvents, BreaksASilence) {
  service_.longest_wait_ = 1ms;
  reply_.on_piece_ = [this](std::size_t count) {
    if (count == 3) service_.Change("pw-1", PrewarmState::kCancelled);
  };
  Follow(Request("GET", kPath));
  ASSERT_EQ(reply_.pieces_.size(), 4U);
  EXPECT_EQ(reply_.pieces_[1], ": still here\n\n");
  EXPECT_EQ(reply_.pieces_[2], ": still here\n\n");
  EXPECT_EQ(StateIn(reply_.pieces_[3]), "cancelled");
}

TEST_F(RestEvents, TellsTheReasonWhenItCannotGoOn) {
  reply_.on_piece_ = [this](std::size_t) {
    service_.FailWith({ProblemKind::kUnavailable, "not-leading", "Another process leads."});
  };
  Follow(Request("GET", kPath));
  ASSERT_EQ(reply_.pieces_.size(), 2U);
  EXPECT_THAT(reply_.pieces_[1], StartsWith("event: problem\ndata: {\"type\":"
                                            "\"urn:prewarm:problem:not-leading\""));
}

TEST_F(RestEvents, EndsWhenTheTokenHasExpired) {
  service_.longest_wait_ = 1ms;
  auto request = Request("GET", kPath);
  clock_.wall_ = *ParseRfc3339("2026-10-31T23:59:59Z");
  request.headers[0].second = "Bearer expired-token";
  reply_.on_piece_ = [this](std::size_t count) {
    if (count == 2) clock_.wall_ = *ParseRfc3339("2026-11-01T00:00:00Z");
  };
  Follow(request);
  ASSERT_EQ(reply_.pieces_.size(), 3U);
  EXPECT_THAT(reply_.pieces_[2], HasSubstr("urn:prewarm:problem:unauthenticated"));
}

TEST_F(RestEvents, OutlivesThatNobodyCanBeAskedAndNoRefusal) {
  service_.longest_wait_ = 1ms;
  auto request = Request("GET", kPath);
  request.headers[0].second = "Bearer asked-token";
  reply_.on_piece_ = [this](std::size_t count) {
    if (count == 1)
      authenticator_.judge_ = Refuse({ProblemKind::kUnavailable, "cannot-ask", "Away."});
    if (count == 3) authenticator_.judge_ = Refuse(UnknownToken());
  };
  Follow(request);
  ASSERT_EQ(reply_.pieces_.size(), 4U);
  EXPECT_EQ(reply_.pieces_[2], ": still here\n\n");
  EXPECT_THAT(reply_.pieces_[3], HasSubstr("urn:prewarm:problem:unauthenticated"));
}

TEST_F(RestEvents, RefusesBeforeItBegins) {
  Follow(Request("GET", "/api/v1/prewarms/pw-2/events"));
  EXPECT_EQ(reply_.answer_->status, 404U);
  EXPECT_TRUE(reply_.pieces_.empty());
}

TEST_F(RestEvents, SendsWhoHasSeenTheEndAway) {
  service_.Change("pw-1", PrewarmState::kSucceeded);
  auto request = Request("GET", kPath);
  request.headers.emplace_back("Last-Event-ID", std::to_string(service_.version_));
  Follow(request);
  EXPECT_EQ(reply_.answer_->status, 204U);
  KeptReply other;
  request.headers.back().second = "1";
  Serve(request, other);
  EXPECT_EQ(other.answer_->status, 200U);
  ASSERT_EQ(other.pieces_.size(), 1U);
  EXPECT_EQ(StateIn(other.pieces_[0]), "succeeded");
}

TEST_F(RestEvents, EndsAtOnceWhenItIsStopped) {
  TaskGroup group(loop_.get_executor());
  reply_.on_piece_ = [&](std::size_t) { group.Stop(); };
  const auto request = Request("GET", kPath);
  group.Spawn("request", api_.Handler()(request, reply_));
  loop_.run();
  EXPECT_EQ(group.running(), 0U);
  EXPECT_EQ(reply_.pieces_.size(), 1U);
}

}  // namespace
}  // namespace prewarm::controller::rest_test
