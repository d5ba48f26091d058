// How far ahead of their pods nodes were warm, as it is judged look by look.
#include "controller/demand/lead_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A workload as it goes through the looks of a test.
class Story {
 public:
  explicit Story(WallTime since = At(0)) : times(since) {}

  TargetNow& Target(const char* node) {
    targets_.push_back({.node = node});
    return targets_.back();
  }
  TargetNow& Nth(std::size_t index) { return targets_[index]; }
  void Drop() { targets_.pop_back(); }
  Pod& Bind(std::string name, std::string node, WallTime at) {
    Pod pod;
    pod.name = std::move(name);
    pod.uid = "uid-" + pod.name;
    pod.node = std::move(node);
    pod.bound_at = std::chrono::floor<seconds>(at);
    return pods_.emplace_back(std::move(pod));
  }
  void End(std::string_view name) {
    std::erase_if(pods_, [name](const Pod& pod) { return pod.name == name; });
  }
  LeadTimes::News Look(WallTime now) {
    std::vector<const Pod*> bound;
    for (const auto& pod : pods_) bound.push_back(&pod);
    return times.Look({now, version, obstacle, targets_, bound});
  }

  LeadTimes times;
  std::string version = "chat:1";
  std::optional<Arrival> obstacle;

 private:
  std::vector<TargetNow> targets_;
  std::deque<Pod> pods_;
};

std::uint64_t Count(const LeadTimes& times, Arrival arrival) {
  return times.arrivals()[static_cast<std::size_t>(arrival)];
}

std::uint64_t Judged(const LeadTimes& times) {
  std::uint64_t all = 0;
  for (const auto count : times.arrivals()) all += count;
  return all;
}

TEST(LeadTimes, MeasureHowFarAheadOfItsPodANodeWasWarm) {
  Story story;
  story.Target("n1");
  EXPECT_THAT(story.Look(At(0)).decision_to_warm, IsEmpty());
  story.Nth(0).warm_at = At(40);
  EXPECT_THAT(story.Look(At(41)).decision_to_warm, ElementsAre(seconds(40)));
  auto& pod = story.Bind("chat-2", "n1", At(60));
  auto news = story.Look(At(60) + milliseconds(300));
  ASSERT_THAT(news.arrived, SizeIs(1));
  EXPECT_EQ(news.arrived[0].arrival, Arrival::kWarm);
  EXPECT_THAT(news.lead_to_bound, ElementsAre(milliseconds(20'300)));
  EXPECT_THAT(news.decision_to_bound, ElementsAre(milliseconds(60'300)));
  EXPECT_THAT(news.decision_to_start, IsEmpty());
  pod.started_at = At(100);
  news = story.Look(At(101));
  EXPECT_THAT(news.decision_to_start, ElementsAre(seconds(100)));
  EXPECT_THAT(news.lead_to_start, ElementsAre(seconds(60)));
  const PodTimeline expected{
      "chat-2", "n1", Arrival::kWarm, At(0), At(40), At(60) + milliseconds(300), At(100)};
  ASSERT_NE(story.times.Newest(), nullptr);
  EXPECT_EQ(*story.times.Newest(), expected);
}

TEST(LeadTimes, SayEachThingOnce) {
  Story story;
  story.Target("n1").warm_at = At(1);
  story.Look(At(2));
  story.Bind("a", "n1", At(5)).started_at = At(9);
  story.Look(At(10));
  const auto again = story.Look(At(11));
  EXPECT_THAT(again.arrived, IsEmpty());
  EXPECT_THAT(again.lead_to_bound, IsEmpty());
  EXPECT_THAT(again.lead_to_start, IsEmpty());
  EXPECT_THAT(again.decision_to_warm, IsEmpty());
  EXPECT_THAT(again.decision_to_start, IsEmpty());
  EXPECT_EQ(Judged(story.times), 1U);
}

TEST(LeadTimes, JudgeEveryPodOfANode) {
  Story story;
  story.Target("n1").warm_at = At(1);
  story.Look(At(2));
  story.Bind("a", "n1", At(5));
  story.Look(At(5));
  story.Bind("b", "n1", At(200));
  EXPECT_THAT(story.Look(At(200)).lead_to_bound, ElementsAre(seconds(199)));
  EXPECT_EQ(story.times.LeastLead(), seconds(4));
  EXPECT_EQ(story.times.Newest()->pod, "b");
  EXPECT_EQ(Count(story.times, Arrival::kWarm), 2U);
}

TEST(LeadTimes, TellHowMuchTooLateANodeWasOnceItIsWarm) {
  Story story;
  story.Target("late");
  story.Look(At(0));
  story.Bind("a", "late", At(5));
  auto news = story.Look(At(5));
  ASSERT_THAT(news.arrived, SizeIs(1));
  EXPECT_EQ(news.arrived[0].arrival, Arrival::kStillWarming);
  EXPECT_THAT(news.lead_to_bound, IsEmpty());
  story.Nth(0).warm_at = At(30);
  news = story.Look(At(31));
  EXPECT_THAT(news.lead_to_bound, ElementsAre(seconds(-25)));
  EXPECT_THAT(news.arrived, IsEmpty());
  EXPECT_EQ(Count(story.times, Arrival::kWarm), 0U);
  EXPECT_EQ(story.times.LeastLead(), seconds(-25));
}

TEST(LeadTimes, DoNotCallWarmWhatMayHaveBecomeSoAfterTheBinding) {
  Story story;
  story.Target("n1");
  story.Look(At(4));
  // Both happened between two looks, within the second that the cluster tells.
  story.Nth(0).warm_at = At(5) + milliseconds(400);
  story.Bind("a", "n1", At(5) + milliseconds(600));
  const auto news = story.Look(At(5) + milliseconds(700));
  EXPECT_EQ(Count(story.times, Arrival::kStillWarming), 1U);
  EXPECT_THAT(news.lead_to_bound, ElementsAre(milliseconds(-400)));
}

TEST(LeadTimes, KnowTheOrderOfWhatHappenedInOneSecondIfALookFellBetween) {
  Story story;
  story.Target("n1").warm_at = At(5) + milliseconds(100);
  story.Look(At(5) + milliseconds(200));
  story.Bind("a", "n1", At(5) + milliseconds(600));
  EXPECT_THAT(story.Look(At(5) + milliseconds(700)).lead_to_bound, ElementsAre(milliseconds(600)));
  EXPECT_EQ(Count(story.times, Arrival::kWarm), 1U);
}

TEST(LeadTimes, TakeTheClustersMomentForAPodThatIsHeardOfLate) {
  Story story;
  story.Target("n1").warm_at = At(50);
  story.Look(At(60));
  story.Bind("a", "n1", At(20));  // a watch that was cut
  const auto news = story.Look(At(70));
  EXPECT_THAT(news.lead_to_bound, ElementsAre(seconds(-30)));
  EXPECT_EQ(Count(story.times, Arrival::kWarm), 0U);
}

TEST(LeadTimes, SayWhyANodeWasNotWarm) {
  Story story;
  story.Target("failed").failed = true;
  story.Target("no-agent").has_agent = false;
  story.Look(At(0));
  story.Target("new");  // because the pod is bound to it
  story.Bind("a", "failed", At(2));
  story.Bind("b", "no-agent", At(2));
  story.Bind("c", "new", At(2));
  story.Bind("d", "none of ours", At(2));
  story.Look(At(2));
  EXPECT_EQ(Count(story.times, Arrival::kFailed), 1U);
  EXPECT_EQ(Count(story.times, Arrival::kNoAgent), 1U);
  EXPECT_EQ(Count(story.times, Arrival::kNotChosen), 2U);
  story.obstacle = Arrival::kNotSeeded;
  story.Bind("e", "new", At(3));
  story.Look(At(3));
  EXPECT_EQ(Count(story.times, Arrival::kNotSeeded), 1U);
  EXPECT_EQ(Judged(story.times), 5U);
}

TEST(LeadTimes, JudgeNothingThatWasBeforeTheFirstLook) {
  Story story(At(100));
  auto& target = story.Target("n1");
  target.chosen_before = true;
  target.warm_at = At(10);
  story.Bind("before", "n1", At(50));
  Pod& unscheduled = story.Bind("static", "n1", At(50));
  unscheduled.bound_at.reset();
  EXPECT_THAT(story.Look(At(100)).arrived, IsEmpty());
  EXPECT_EQ(story.times.Newest(), nullptr);
  story.Bind("after", "n1", At(120));
  const auto news = story.Look(At(120));
  EXPECT_EQ(Count(story.times, Arrival::kWarm), 1U);
  EXPECT_THAT(news.lead_to_bound, ElementsAre(seconds(110)));
  EXPECT_THAT(news.decision_to_bound, IsEmpty()) << "nobody knows when it was decided";
}

TEST(LeadTimes, BeginAnewForOtherBytesAndOtherVersions) {
  Story story;
  story.Target("n1").warm_at = At(1);
  story.Look(At(2));
  story.Nth(0).warm_at.reset();  // the paths mean other bytes now
  story.Look(At(10));
  story.Nth(0).warm_at = At(14);
  EXPECT_THAT(story.Look(At(15)).decision_to_warm, ElementsAre(seconds(4)));
  story.Bind("a", "n1", At(20));
  story.Look(At(20));
  ASSERT_TRUE(story.times.LeastLead());
  story.End("a");
  story.version = "chat:2";
  story.Look(At(30));
  EXPECT_FALSE(story.times.LeastLead());
  EXPECT_EQ(Judged(story.times), 1U) << "what was counted stays counted";
}

TEST(LeadTimes, ForgetPodsThatAreGoneAndStayBounded) {
  Story story;
  story.Target("n1").warm_at = At(1);
  story.Look(At(2));
  for (int i = 0; i < 3000; ++i) story.Bind("p" + std::to_string(i), "n1", At(5));
  EXPECT_THAT(story.Look(At(5)).arrived, SizeIs(LeadTimes::kMaxPods));
  for (int i = 0; i < 3000; ++i) story.End("p" + std::to_string(i));
  story.Look(At(6));
  EXPECT_EQ(story.times.Newest(), nullptr);
  std::deque<std::string> names;
  Story wide;
  for (int i = 0; i < 5000; ++i) wide.Target(names.emplace_back(std::to_string(i)).c_str());
  wide.Look(At(0));
  for (std::size_t i = 0; i < 5000; ++i) wide.Nth(i).warm_at = At(1);
  EXPECT_THAT(wide.Look(At(2)).decision_to_warm, SizeIs(LeadTimes::kMaxNodes));
}

}  // namespace
}  // namespace prewarm::controller::demand
