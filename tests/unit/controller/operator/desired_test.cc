#include "controller/operator/desired.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

DesiredPrewarm Desired(const std::string& version = "chat:1") {
  DesiredPrewarm desired;
  desired.name_space = "team";
  desired.workload = {"serving.yatai.ai/v2alpha1", "BentoDeployment", "chat", "uid-1"};
  desired.volume = "models";
  desired.version = version;
  desired.paths = {"models/a"};
  desired.targets = {{"n1", 700, "hpa-desired", "two are wanted"}};
  desired.priority = 700;
  return desired;
}

Prewarm Existing(const DesiredPrewarm& desired, std::uint64_t age) {
  auto prewarm = NewPrewarmFor(desired, WallTime());
  prewarm.id = "team.p" + std::to_string(age);
  prewarm.age = age;
  return prewarm;
}

TEST(Compare, MakesWhatIsMissing) {
  const auto changes = Compare(std::vector{Desired()}, {});
  ASSERT_THAT(changes.created, SizeIs(1));
  EXPECT_EQ(changes.created[0].Key(), Desired().Key());
  EXPECT_THAT(changes.changed, IsEmpty());
  EXPECT_THAT(changes.dropped, IsEmpty());
}

TEST(Compare, LeavesWhatIsAsItShouldBe) {
  const auto changes = Compare(std::vector{Desired()}, std::vector{Existing(Desired(), 1)});
  EXPECT_THAT(changes.created, IsEmpty());
  EXPECT_THAT(changes.changed, IsEmpty());
  EXPECT_THAT(changes.dropped, IsEmpty());
}

TEST(Compare, ChangesTargetsAndPathsInPlace) {
  auto desired = Desired();
  desired.targets.push_back({"n2", 900, "pod-bound", "pod chat-2 is bound to it"});
  desired.priority = 900;
  desired.paths.emplace_back("models/b");
  const auto existing = Existing(Desired(), 1);
  const auto changes = Compare(std::vector{desired}, std::vector{existing});
  ASSERT_THAT(changes.changed, SizeIs(1));
  EXPECT_EQ(changes.changed[0].id, existing.id);
  EXPECT_EQ(changes.changed[0].spec.targets, desired.targets);
  EXPECT_EQ(changes.changed[0].spec.paths, desired.paths);
  EXPECT_EQ(changes.changed[0].spec.priority, 900);
  EXPECT_THAT(changes.created, IsEmpty());
  EXPECT_THAT(changes.dropped, IsEmpty());
}

TEST(Compare, DropsWhatNobodyWantsAndKeepsOtherVersions) {
  const std::vector existing{Existing(Desired("chat:1"), 1), Existing(Desired("chat:2"), 2)};
  const auto changes = Compare(std::vector{Desired("chat:2")}, existing);
  ASSERT_THAT(changes.dropped, SizeIs(1));
  EXPECT_EQ(changes.dropped[0].id, "team.p1");
}

TEST(Compare, KeepsTheOldestOfTwoThatAreTheSame) {
  const std::vector existing{Existing(Desired(), 7), Existing(Desired(), 3),
                             Existing(Desired(), 9)};
  const auto changes = Compare(std::vector{Desired()}, existing);
  std::vector<std::uint64_t> dropped;
  for (const auto& prewarm : changes.dropped) dropped.push_back(prewarm.age);
  EXPECT_THAT(dropped, testing::UnorderedElementsAre(7, 9));
  EXPECT_THAT(changes.created, IsEmpty());
}

TEST(Compare, TakesAWorkloadMadeAnewForAnotherOne) {
  auto again = Desired();
  again.workload.uid = "uid-2";
  const auto changes = Compare(std::vector{again}, std::vector{Existing(Desired(), 1)});
  EXPECT_THAT(changes.created, SizeIs(1));
  EXPECT_THAT(changes.dropped, SizeIs(1));
}

TEST(Key, IsNeverLongerThanAPrewarmMaySayAndStillTellsVersionsApart) {
  auto desired = Desired("chat:" + std::string(63, '1'));
  desired.workload.name = std::string(253, 'a');
  const auto key = desired.Key();
  EXPECT_LE(key.size(), 253U);
  desired.version.back() = '2';
  EXPECT_NE(desired.Key(), key);
  desired.version.back() = '1';
  EXPECT_EQ(desired.Key(), key);
}

TEST(AddTarget, KeepsEachNodeOnceWithItsMostUrgentReason) {
  std::vector<NodeTarget> targets;
  AddTarget(targets, {"n2", 100, "keep-warm", ""});
  AddTarget(targets, {"n1", 500, "hpa-desired", ""});
  AddTarget(targets, {"n2", 900, "pod-bound", ""});
  AddTarget(targets, {"n1", 100, "keep-warm", ""});
  EXPECT_THAT(targets, ElementsAre(NodeTarget{"n1", 500, "hpa-desired", ""},
                                   NodeTarget{"n2", 900, "pod-bound", ""}));
}

TEST(NameFor, IsANameOfTheClusterWhateverTheWorkloadIsCalled) {
  auto desired = Desired();
  EXPECT_THAT(NameFor(desired, WallTime()), testing::MatchesRegex("chat-[0-9a-f]{8}"));
  desired.workload.name = std::string(253, 'a');
  EXPECT_LE(NameFor(desired, WallTime()).size(), 63U);
  desired.workload.name = std::string(47, 'a') + ".-" + std::string(50, 'b');
  EXPECT_THAT(NameFor(desired, WallTime()), testing::MatchesRegex("a+-[0-9a-f]{8}"));
  EXPECT_NE(NameFor(desired, WallTime()), NameFor(desired, WallTime(std::chrono::seconds(1))));
}

}  // namespace
}  // namespace prewarm::controller
