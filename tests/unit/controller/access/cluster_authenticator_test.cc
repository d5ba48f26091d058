// Callers by their tokens of the cluster: who is let in, for which namespace, and what is asked.
#include "controller/access/cluster_authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/access/reviewing_server.h"

namespace prewarm::controller {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Right kCreate{Action::kCreate, Subject::kPrewarms};
constexpr Right kGet{Action::kGet, Subject::kPrewarms};
constexpr Right kScrape{Action::kGet, Subject::kMetrics};

// Knows one token.
class OneToken final : public Authenticator {
 public:
  [[nodiscard]] std::optional<ApiResult<Caller>> Check(
      const AccessRequest& request) const override {
    if (request.authorization != "Bearer of-the-file") return Refuse(UnknownToken());
    if (request.right == kScrape) return Refuse({ProblemKind::kForbidden, "forbidden", "no"});
    return Caller{"file", "team-f"};
  }
};

class ClusterAuthenticatorTest : public testing::Test {
 protected:
  ClusterAuthenticatorTest() {
    server_.users["ci/prewarm.dev"] = ServiceAccountUser("team-a", "ci");
    server_.users["prometheus/api"] = ServiceAccountUser("monitoring", "prometheus");
    server_.users["jane/prewarm.dev"] = {{"username", "jane"}, {"groups", {"devs"}}};
    server_.allowed = {"system:serviceaccount:team-a:ci create prewarms team-a",
                       "system:serviceaccount:team-a:ci get prewarms team-a",
                       "system:serviceaccount:monitoring:prometheus get /metrics ",
                       "jane list prewarmvolumes ", "jane create prewarms team-b"};
  }
  ApiResult<Caller> Find(const std::string& token, Right right, const std::string& ns = "",
                         const std::string& object = "") {
    return rig::RunTask(loop_, callers_.Find({"Bearer " + token, right, ns, object}));
  }
  // "identity@namespace", or the type of the problem.
  std::string Ask(const std::string& token, Right right, const std::string& ns = "",
                  const std::string& object = "") {
    const auto found = Find(token, right, ns, object);
    return found ? found->identity + "@" + found->name_space : found.error().type;
  }

  boost::asio::io_context loop_;
  rig::HandClock clock_;
  ReviewingServer server_;
  OneToken file_;
  TokenReviews tokens_{loop_.get_executor(), server_.api, clock_, {.audiences = {kAudience, ""}}};
  AccessReviews rights_{loop_.get_executor(), server_.api, clock_, {}};
  std::vector<std::string> log_;
  ClusterAuthenticator callers_{&file_, tokens_, rights_,
                                Logger(LogLevel::kInfo, LogFormat::kText,
                                       [this](std::string_view line) { log_.emplace_back(line); })};
};

TEST_F(ClusterAuthenticatorTest, TakesAServiceAccountForItsOwnNamespace) {
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "system:serviceaccount:team-a:ci@team-a");
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate, "team-a"), "system:serviceaccount:team-a:ci@team-a");
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate, "team-b"), "forbidden");
  EXPECT_EQ(Ask("ci/prewarm.dev", {Action::kDelete, Subject::kPrewarms}), "forbidden");
}

TEST_F(ClusterAuthenticatorTest, AsksAboutTheNamespaceAndTheNameThatAnIdSays) {
  EXPECT_EQ(Ask("ci/prewarm.dev", kGet, "", "team-a.pw-1"),
            "system:serviceaccount:team-a:ci@team-a");
  EXPECT_EQ(Ask("ci/prewarm.dev", kGet, "", "team-b.pw-1"), "forbidden");
  EXPECT_EQ(Ask("ci/prewarm.dev", kGet, "", "not an id"), "system:serviceaccount:team-a:ci@team-a");
  EXPECT_THAT(server_.asked,
              ElementsAre("system:serviceaccount:team-a:ci get prewarms team-a pw-1",
                          "system:serviceaccount:team-a:ci get prewarms team-b pw-1",
                          "system:serviceaccount:team-a:ci get prewarms team-a not an id"));
}

TEST_F(ClusterAuthenticatorTest, WantsToKnowTheNamespaceOfWhoHasNone) {
  EXPECT_EQ(Ask("jane/prewarm.dev", kCreate), "namespace");
  EXPECT_EQ(Ask("jane/prewarm.dev", kCreate, "team-b"), "jane@team-b");
  EXPECT_EQ(Ask("jane/prewarm.dev", kCreate, "Team/B"), "namespace");
  const auto volumes = Find("jane/prewarm.dev", {Action::kList, Subject::kVolumes});
  ASSERT_TRUE(volumes);
  EXPECT_TRUE(volumes->every_volume);
  EXPECT_EQ(Ask("jane/prewarm.dev", {Action::kList, Subject::kNodes}), "forbidden");
}

TEST_F(ClusterAuthenticatorTest, TakesTokensForTheApiServerToo) {
  EXPECT_EQ(Ask("prometheus/api", kScrape),
            "system:serviceaccount:monitoring:prometheus@monitoring");
  EXPECT_EQ(Ask("prometheus/api", {Action::kGet, Subject::kConfig}), "forbidden");
  EXPECT_EQ(Ask("ci/prewarm.dev", kScrape), "forbidden");
}

TEST_F(ClusterAuthenticatorTest, RefusesTokensForOthersAndWhatIsNoToken) {
  server_.users["ci/vault"] = ServiceAccountUser("team-a", "ci");
  EXPECT_EQ(Ask("ci/vault", kCreate), "unauthenticated");
  EXPECT_EQ(Ask("nobody", kCreate), "unauthenticated");
  const auto questions = server_.questions();
  EXPECT_EQ(Ask("", kCreate), "unauthenticated");
  EXPECT_EQ(Ask("two words", kCreate), "unauthenticated");
  EXPECT_EQ(Ask(std::string(10'000, 'x'), kCreate), "unauthenticated");
  EXPECT_EQ(server_.questions(), questions) << "nobody is asked about these";
}

TEST_F(ClusterAuthenticatorTest, LooksIntoTheFileFirst) {
  EXPECT_EQ(Ask("of-the-file", kCreate), "file@team-f");
  EXPECT_EQ(Ask("of-the-file", kScrape), "forbidden");
  EXPECT_EQ(server_.questions(), 0U);
}

TEST_F(ClusterAuthenticatorTest, LetsNobodyInWhereTheApiServerIsAway) {
  server_.away = Fail(ErrorCode::kTimeout, "no answer");
  for (int i = 0; i < 3; ++i) {
    const auto refused = Find("ci/prewarm.dev", kCreate);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ProblemKind::kUnavailable);
    EXPECT_TRUE(refused.error().retry_after);
  }
  EXPECT_EQ(log_.size(), 1U) << "said once";
  EXPECT_THAT(log_.at(0), HasSubstr("no answer"));
  server_.away.reset();
  server_.status = 403;  // we are not allowed to ask
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "cannot-ask");
  server_.status.reset();
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "system:serviceaccount:team-a:ci@team-a");
  server_.away = Fail(ErrorCode::kTimeout, "no answer");
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "system:serviceaccount:team-a:ci@team-a")
      << "what was found out lately still counts";
  EXPECT_EQ(Ask("ci/prewarm.dev", kGet), "cannot-ask") << "and nothing else does";
}

TEST_F(ClusterAuthenticatorTest, RefusesInTimeWhatWasTakenBack) {
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "system:serviceaccount:team-a:ci@team-a");
  const auto questions = server_.questions();
  const auto allowed = std::exchange(server_.allowed, {});
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "system:serviceaccount:team-a:ci@team-a");
  EXPECT_EQ(server_.questions(), questions);
  clock_.now += seconds(30);
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "forbidden");
  server_.allowed = allowed;
  clock_.now += seconds(5);
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "system:serviceaccount:team-a:ci@team-a");
  server_.users.clear();
  clock_.now += seconds(30);
  EXPECT_EQ(Ask("ci/prewarm.dev", kCreate), "unauthenticated");
}

TEST_F(ClusterAuthenticatorTest, NamesWhatIsMissingAndNoToken) {
  const auto refused = Find("ci/prewarm.dev", kCreate, "team-b");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("system:serviceaccount:team-a:ci may not create "
                                                "prewarms.prewarm.dev in namespace team-b"));
  EXPECT_EQ(refused.error().detail.find("ci/prewarm.dev"), std::string::npos);
}

}  // namespace
}  // namespace prewarm::controller
