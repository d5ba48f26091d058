// Which node an agent's token proves.
#include "controller/access/agent_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/access/reviewing_server.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class AgentTokensTest : public testing::Test {
 protected:
  void Give(const std::string& token, json::object extra,
            const std::string& account = "prewarm-agent") {
    auto user = ServiceAccountUser("prewarm-system", account);
    user["extra"] = std::move(extra);
    server_.users[token] = std::move(user);
  }
  Result<std::string> NodeOf(const std::string& token) {
    return rig::RunTask(loop_, agents_.NodeOf(Secret(token)));
  }
  // Why it is refused.
  std::string Refusal(const std::string& token) {
    const auto node = NodeOf(token);
    if (node) return "taken for " + *node;
    EXPECT_EQ(node.error().code, ErrorCode::kPermission) << node.error().message;
    EXPECT_EQ(node.error().message.find(token), std::string::npos) << "tokens are told to nobody";
    return node.error().message;
  }
  static json::object Pod(const std::string& uid, const std::string& node) {
    return {{"metadata", {{"uid", uid}}}, {"spec", {{"nodeName", node}}}};
  }
  static constexpr auto kPodName = "authentication.kubernetes.io/pod-name";
  static constexpr auto kPodUid = "authentication.kubernetes.io/pod-uid";
  static constexpr auto kNodeName = "authentication.kubernetes.io/node-name";

  boost::asio::io_context loop_;
  rig::HandClock clock_;
  ReviewingServer server_;
  TokenReviews tokens_{loop_.get_executor(), server_.api, clock_, {.audiences = {kAudience}}};
  AgentTokens agents_{server_.api, tokens_, {"prewarm-system", "prewarm-agent"}};
};

TEST_F(AgentTokensTest, ProveTheNodeThatTheServerNames) {
  Give("a/prewarm.dev", {{kNodeName, {"gpu-1"}}, {kPodName, {"agent-x"}}});
  EXPECT_EQ(NodeOf("a/prewarm.dev").value_or(""), "gpu-1");
}

TEST_F(AgentTokensTest, ProveTheNodeOfTheirPodWhereTheServerNamesNone) {
  Give("a/prewarm.dev", {{kPodName, {"agent-x"}}, {kPodUid, {"uid-1"}}});
  const std::string path = "/api/v1/namespaces/prewarm-system/pods/agent-x";
  EXPECT_THAT(Refusal("a/prewarm.dev"), HasSubstr("pod prewarm-system/agent-x is gone"));
  server_.pods[path] = Pod("uid-2", "gpu-2");
  EXPECT_THAT(Refusal("a/prewarm.dev"), HasSubstr("another pod"));
  server_.pods[path] = Pod("uid-1", "");
  EXPECT_THAT(Refusal("a/prewarm.dev"), HasSubstr("on no node"));
  server_.pods[path] = Pod("uid-1", "gpu-2");
  EXPECT_EQ(NodeOf("a/prewarm.dev").value_or(""), "gpu-2");
}

TEST_F(AgentTokensTest, AreThoseOfOneServiceAccountAndOneAudience) {
  Give("other/prewarm.dev", {{kNodeName, {"gpu-1"}}}, "someone");
  EXPECT_THAT(Refusal("other/prewarm.dev"),
              HasSubstr("not that of the service account prewarm-system/prewarm-agent"));
  Give("a/api", {{kNodeName, {"gpu-1"}}});
  EXPECT_THAT(Refusal("a/api"), HasSubstr("its audience is not prewarm.dev"));
  EXPECT_THAT(Refusal("nobody"), HasSubstr("does not know the token"));
  Give("free/prewarm.dev", {});
  EXPECT_THAT(Refusal("free/prewarm.dev"), HasSubstr("bound to no pod"));
  Give("two/prewarm.dev", {{kNodeName, {"gpu-1", "gpu-2"}}});
  EXPECT_THAT(Refusal("two/prewarm.dev"), HasSubstr("bound to no pod"));
}

TEST_F(AgentTokensTest, ProveNothingWhereTheServerCannotBeAsked) {
  Give("a/prewarm.dev", {{kNodeName, {"gpu-1"}}});
  server_.away = Fail(ErrorCode::kTimeout, "no answer");
  const auto node = NodeOf("a/prewarm.dev");
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, ErrorCode::kTimeout);
  server_.away.reset();
  EXPECT_TRUE(NodeOf("a/prewarm.dev"));
}

}  // namespace
}  // namespace prewarm::controller
