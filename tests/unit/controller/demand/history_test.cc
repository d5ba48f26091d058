// The time line of cold starts.
#include "controller/demand/history.h"

#include <gtest/gtest.h>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

Pod Bound(std::string name, std::string node, int at) {
  Pod pod;
  pod.name = std::move(name);
  pod.node = std::move(node);
  pod.created_at = At(at - 2);
  pod.bound_at = At(at);
  return pod;
}

TEST(History, MeasuresHowFarAheadOfItsPodANodeWasWarm) {
  History history;
  history.Decided("n1", SignalKind::kHpaDesired, At(0));
  history.Decided("n1", SignalKind::kPodBound, At(50));  // a later reason changes nothing
  EXPECT_FALSE(history.Find("n1")->DecisionToWarm());
  history.Warm("n1", At(40));
  history.Warm("n1", At(90));
  auto pod = Bound("chat-2", "n1", 60);
  history.Saw(pod);
  EXPECT_FALSE(history.Find("n1")->LeadToStart());
  pod.started_at = At(100);
  history.Saw(pod);
  history.Saw(Bound("chat-3", "n1", 200));  // not the first
  const NodeTimeline expected{
      "n1", SignalKind::kHpaDesired, At(0), At(40), "chat-2", At(58), At(60), At(100)};
  ASSERT_EQ(history.Timelines(), std::vector{expected});
  EXPECT_EQ(expected.LeadToBound(), seconds(20));
  EXPECT_EQ(expected.LeadToStart(), seconds(60));
  EXPECT_EQ(expected.DecisionToWarm(), seconds(40));
}

TEST(History, CountsWhatCameTooLate) {
  History history;
  history.Decided("late", SignalKind::kPodBound, At(0));
  history.Saw(Bound("a", "late", 5));
  history.Warm("late", At(30));
  EXPECT_EQ(history.Find("late")->LeadToBound(), seconds(-25));
  history.Warm("early", At(1));
  history.Saw(Bound("b", "early", 5));
  history.Saw(Bound("c", "cold", 5));
  history.Decided("unused", SignalKind::kKeepWarm, At(0));
  EXPECT_EQ(history.Ahead(), (History::Score{3, 1}));
}

TEST(History, ForgetsANodeThatLeftAndStaysBounded) {
  History history;
  history.Warm("n1", At(0));
  history.Left("n1");
  history.Left("never there");
  EXPECT_EQ(history.Find("n1"), nullptr);
  Pod unbound;
  unbound.name = "p";
  history.Saw(unbound);
  EXPECT_EQ(history, History{});
  for (int i = 0; i < 5000; ++i) history.Warm("n" + std::to_string(i), At(i));
  EXPECT_EQ(history.Timelines().size(), History::kMaxNodes);
}

}  // namespace
}  // namespace prewarm::controller::demand
