#include "controller/demand/node_marks.h"

#include <gmock/gmock.h>

#include "common/base/rfc3339.h"

namespace prewarm::controller::demand {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;

const WallTime kNow = *ParseRfc3339("2026-11-28T19:00:00Z");
constexpr const char* kChat = "warm.prewarm.dev/team-a.chat";
constexpr const char* kChatExpected = "expected.warm.prewarm.dev/team-a.chat";
constexpr const char* kChatSeconds = "seconds.warm.prewarm.dev/team-a.chat";

Node NodeWith(Labels labels, Labels expected = {}) {
  Node node;
  node.name = "gpu-1";
  node.labels = std::move(labels);
  node.expected = std::move(expected);
  node.ready = Truth::kTrue;
  node.created_at = kNow - minutes(1);
  return node;
}

TEST(MarksToChange, MakeTheNodeSayWhatIsSoAndNothingElse) {
  const auto node = NodeWith({{"zone", "a"}, {"warm.prewarm.dev/team-a.old", "true"}});
  const auto marks = MarksToChange(node, {.warm = {kChat}, .expected = {}}, kNow);
  EXPECT_THAT(marks.labels, ElementsAre(Pair(kChat, Optional(std::string("true"))),
                                        Pair("warm.prewarm.dev/team-a.old", std::nullopt)));
  EXPECT_THAT(marks.annotations, IsEmpty());
  const auto said = NodeWith({{"zone", "a"}, {kChat, "true"}});
  EXPECT_TRUE(MarksToChange(said, {.warm = {kChat}, .expected = {}}, kNow).empty());
}

TEST(MarksToChange, ExpectAMomentUntilItIsThere) {
  const auto moment = kNow + minutes(2);
  const auto first = MarksToChange(NodeWith({}), {.warm = {}, .expected = {{kChat, moment}}}, kNow);
  EXPECT_THAT(first.annotations,
              ElementsAre(Pair(kChatExpected, Optional(std::string("2026-11-28T19:02:00Z"))),
                          Pair(kChatSeconds, Optional(std::string("120")))));
  const auto said = NodeWith({}, {{kChatExpected, "2026-11-28T19:02:00Z"}, {kChatSeconds, "120"}});
  const auto expect = [&](WallTime expected) {
    return MarksToChange(said, {.warm = {}, .expected = {{kChat, expected}}}, kNow);
  };
  EXPECT_TRUE(expect(moment + seconds(20)).empty()) << "every estimate moves a little";
  EXPECT_TRUE(expect(moment - seconds(20)).empty());
  EXPECT_FALSE(expect(moment + seconds(60)).empty());
  EXPECT_FALSE(expect(kNow).empty());
  const auto warm = MarksToChange(said, {.warm = {kChat}, .expected = {}}, kNow);
  EXPECT_THAT(warm.annotations,
              ElementsAre(Pair(kChatExpected, std::nullopt), Pair(kChatSeconds, std::nullopt)));
}

TEST(MarksToChange, CountTheSecondsDownByHalves) {
  const auto moment = kNow + seconds(120);
  auto node = NodeWith({}, {{kChatExpected, "2026-11-28T19:02:00Z"}, {kChatSeconds, "120"}});
  std::vector<std::string> written;
  for (auto now = kNow; now <= moment + seconds(5); now += seconds(1)) {
    const auto marks = MarksToChange(node, {.warm = {}, .expected = {{kChat, moment}}}, now);
    if (marks.empty()) continue;
    ASSERT_THAT(marks.annotations, ElementsAre(Pair(kChatSeconds, testing::Ne(std::nullopt))));
    written.push_back(*marks.annotations.at(kChatSeconds));
    node.expected = {{kChatExpected, "2026-11-28T19:02:00Z"}, {kChatSeconds, written.back()}};
  }
  EXPECT_THAT(written, ElementsAre("60", "30", "15", "7", "3"));
}

TEST(MarksToChange, ReplaceWhatSomebodyElseWroteThere) {
  const auto node = NodeWith({}, {{kChatExpected, "soon"}});
  EXPECT_FALSE(MarksToChange(node, {.warm = {}, .expected = {{kChat, kNow}}}, kNow).empty());
  for (const auto* wrong : {"soon", "", "-5", "60s", "99999999999999999999"}) {
    const auto other =
        NodeWith({}, {{kChatExpected, "2026-11-28T19:00:30Z"}, {kChatSeconds, wrong}});
    const NodeWarmth warmth{.warm = {}, .expected = {{kChat, kNow + seconds(30)}}};
    EXPECT_THAT(MarksToChange(other, warmth, kNow).annotations,
                ElementsAre(Pair(kChatSeconds, Optional(std::string("30")))))
        << wrong;
  }
}

TEST(Gate, IsOneOfTwoTaints) {
  auto node = NodeWith({});
  EXPECT_EQ(GateOf(node), std::nullopt);
  node.taints = {{"nvidia.com/gpu", "present"}, {std::string(kGateTaint), ""}};
  EXPECT_EQ(GateOf(node), 1U);
  node.taints = {{std::string(kAutoscalerGateTaint), "x"}};
  EXPECT_EQ(GateOf(node), 0U);
}

TEST(Gate, StaysOnlyWhileSomethingIsBeingWarmed) {
  const auto node = NodeWith({});
  const GateWish pending{.wanted = true, .pending = true};
  const GateWish done{.wanted = true, .pending = false};
  EXPECT_EQ(WhyOpen(node, true, pending, kNow), std::nullopt);
  EXPECT_THAT(WhyOpen(node, true, done, kNow), Optional(HasSubstr("is warm")));
  EXPECT_THAT(WhyOpen(node, true, {}, kNow), Optional(HasSubstr("nothing is to be warmed")));
  EXPECT_EQ(WhyOpen(node, false, {}, kNow), std::nullopt) << "its agent is starting";
}

TEST(Gate, WaitsForThePodsThatANewNodeWasMadeFor) {
  auto node = NodeWith({});
  node.created_at = kNow - seconds(3);
  EXPECT_EQ(WhyOpen(node, true, {}, kNow), std::nullopt);
  node.ready = Truth::kFalse;
  node.created_at = kNow - minutes(1);
  EXPECT_EQ(WhyOpen(node, true, {}, kNow), std::nullopt);
}

TEST(Gate, OpensAtItsTimeoutWhateverHappened) {
  auto node = NodeWith({});
  const GateWish pending{.wanted = true, .pending = true, .timeout = minutes(3)};
  node.created_at = kNow - minutes(3) + seconds(1);
  EXPECT_EQ(WhyOpen(node, false, pending, kNow), std::nullopt);
  node.created_at = kNow - minutes(3);
  EXPECT_THAT(WhyOpen(node, false, pending, kNow), Optional(HasSubstr("held back for 3 min")));
  node.created_at = std::nullopt;
  EXPECT_THAT(WhyOpen(node, true, pending, kNow), Optional(HasSubstr("age")));
}

}  // namespace
}  // namespace prewarm::controller::demand
