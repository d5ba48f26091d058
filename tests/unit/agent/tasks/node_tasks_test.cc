#include "agent/tasks/node_tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "tests/rig/agent_node.h"

namespace prewarm::agent {
namespace {

using rig::PlanOf;
using testing::HasSubstr;

class Tasks : public testing::Test {
 protected:
  Tasks() {
    node_.On([this] { node_.tasks().Describe(volume_.Descriptor()); });
  }
  [[nodiscard]] std::filesystem::path FileOf(std::uint64_t slice, std::uint32_t index,
                                             const std::string& cache = "cache") const {
    return rig::OraclePath(folder_.path() / cache / rig::kAgentUuid,
                           {slice, index, rig::kAgentBlock});
  }
  [[nodiscard]] bool Has(std::uint64_t slice, std::uint32_t index) const {
    return std::filesystem::exists(FileOf(slice, index));
  }
  [[nodiscard]] MountSurvey MountScanning(std::chrono::nanoseconds interval) const {
    MountSettings mount;
    mount.mount_point = "/mnt/jfs";
    mount.format.uuid = rig::kAgentUuid;
    mount.format.name = "vol";
    mount.cache_directories = {folder_ / "cache"};
    mount.cache_size = 1 << 30;
    mount.scan_interval = interval;
    return {{mount}, {}};
  }

  rig::TempDir folder_;
  rig::VolumeInS3 volume_;
  rig::AgentNode node_{folder_ / "cache"};
};

TEST_F(Tasks, AreVisibleOnceEveryBlockIsWhole) {
  volume_.PutSlices({1, 2}, 3);
  node_.Order("p", 1, PlanOf({1, 2}, 3));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible)) << node_.Report("p")->message;
  const auto report = *node_.Report("p");
  EXPECT_EQ(report.planned_blocks, 6U);
  EXPECT_EQ(report.counts.fetched_blocks, 6U);
  EXPECT_EQ(report.counts.fetched_bytes, 6ULL * rig::kAgentBlock);
  EXPECT_TRUE(report.first_byte_at);
  EXPECT_THAT(report.visibility, HasSubstr("next mount"));
  const auto tree = rig::CheckVolumeTree(folder_.path() / "cache" / rig::kAgentUuid,
                                         {0600, ::geteuid(), ::getegid()});
  EXPECT_EQ(tree.blocks, 6U);
  EXPECT_TRUE(tree.violations.empty());

  node_.Order("again", 1, PlanOf({1, 2}, 3));
  ASSERT_TRUE(node_.WaitForState("again", TaskState::kVisible));
  EXPECT_EQ(node_.Report("again")->present_bytes, 6ULL * rig::kAgentBlock);
  EXPECT_EQ(node_.Report("again")->counts.requests, 0U);
}

TEST_F(Tasks, AreVisibleOnlyIfEveryMountSeesThem) {
  volume_.PutSlices({1}, 1);
  node_.SetMounts(MountScanning(std::chrono::seconds(-1)));
  node_.Order("live", 1, PlanOf({1}, 1));
  EXPECT_TRUE(node_.WaitForState("live", TaskState::kVisible));

  node_.SetMounts(MountScanning(std::chrono::hours(1)));
  node_.Order("rescan", 1, PlanOf({1}, 1));
  ASSERT_TRUE(node_.WaitForState("rescan", TaskState::kStored));
  const auto left = node_.Report("rescan")->visible_at.value() - node_.clock().WallNow();
  EXPECT_GT(left, std::chrono::minutes(59));
  EXPECT_LT(left, std::chrono::minutes(61));

  node_.SetMounts(MountScanning(std::chrono::seconds(0)));
  node_.Order("never", 1, PlanOf({1}, 1));
  ASSERT_TRUE(node_.WaitForState("never", TaskState::kStored));
  EXPECT_FALSE(node_.Report("never")->visible_at);
  EXPECT_THAT(node_.Report("never")->visibility, HasSubstr("--cache-scan-interval=-1"));
}

TEST_F(Tasks, BecomeVisibleByTheNextScanOfTheClient) {
  volume_.PutSlices({1}, 1);
  node_.SetMounts(MountScanning(std::chrono::seconds(1)));
  node_.Order("p", 1, PlanOf({1}, 1));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kStored));
  const auto promised = node_.Report("p")->visible_at.value();
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  EXPECT_GE(node_.clock().WallNow(), promised);
}

// A client that can be asked, and what it is asked.
struct Client {
  std::atomic<std::uint64_t> total{0};
  std::atomic<std::uint64_t> missing{0};
  std::atomic<int> times{0};
  Guarded<std::vector<std::string>> paths;

  MountWatch::Check Check() {
    return [this](const MountSettings&, const std::vector<std::string>& asked,
                  const std::stop_token&) -> Result<CacheCount> {
      ++times;
      paths.With([&](auto& known) { known = asked; });
      return CacheCount{1, total, missing};
    };
  }
};

TEST_F(Tasks, AreNotVisibleIfALiveClientSaysThatBytesAreMissing) {
  Client client;
  client.total = 2ULL * rig::kAgentBlock;
  client.missing = rig::kAgentBlock;
  node_.SetCheck(client.Check());
  auto survey = MountScanning(std::chrono::seconds(-1));
  survey.mounts[0].version = "1.4.2";
  node_.SetMounts(survey);
  volume_.PutSlices({1}, 2);
  node_.Order("p", 1, PlanOf({1}, 2), 0, {"m/"});
  ASSERT_TRUE(rig::WaitFor([&] {
    const auto report = node_.Report("p");
    return report->state == TaskState::kStored && !report->visible_at;
  })) << node_.Report("p")->visibility;
  EXPECT_THAT(node_.Report("p")->visibility, HasSubstr("misses 64.0 KiB of 128 KiB"));
  EXPECT_THAT(client.paths.With([](const auto& known) { return known; }),
              testing::ElementsAre("/m"));

  client.missing = 0;
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  EXPECT_THAT(node_.Report("p")->visibility, HasSubstr("finds all 128 KiB"));
}

TEST_F(Tasks, OfAClientThatScansAreVisibleOnlyOnceItSaysSo) {
  Client client;
  client.total = client.missing = rig::kAgentBlock;
  node_.SetCheck(client.Check());
  auto survey = MountScanning(std::chrono::milliseconds(10));
  survey.mounts[0].version = "1.4.2";
  node_.SetMounts(survey);
  volume_.PutSlices({1}, 1);
  node_.Order("p", 1, PlanOf({1}, 1), 0, {"/"});
  ASSERT_TRUE(rig::WaitFor([&] { return client.times >= 3; }, std::chrono::seconds(20)));
  EXPECT_EQ(node_.Report("p")->state, TaskState::kStored);
  client.missing = 0;
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));

  // What clients see already need not wait for their next scan.
  node_.SetMounts([&] {
    survey.mounts[0].scan_interval = std::chrono::hours(1);
    return survey;
  }());
  node_.Order("again", 1, PlanOf({1}, 1), 0, {"/"});
  ASSERT_TRUE(node_.WaitForState("again", TaskState::kVisible));
}

TEST_F(Tasks, AreCancelledWithinASecondWhileAClientThinks) {
  std::atomic<bool> asked{false};
  node_.SetCheck([&](const MountSettings&, const std::vector<std::string>&,
                     const std::stop_token& stop) -> Result<CacheCount> {
    asked = true;
    rig::WaitFor([&] { return stop.stop_requested(); }, std::chrono::seconds(20));
    return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
  });
  auto survey = MountScanning(std::chrono::seconds(-1));
  survey.mounts[0].version = "1.4.2";
  node_.SetMounts(survey);
  volume_.PutSlices({1}, 1);
  node_.Order("p", 1, PlanOf({1}, 1), 0, {"/"});
  ASSERT_TRUE(rig::WaitFor([&] { return asked.load(); }));
  const auto begin = node_.clock().Now();
  node_.On([this] { node_.tasks().Cancel({"p", 1}); });
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kCancelled));
  EXPECT_LT(node_.clock().Now() - begin, std::chrono::seconds(1));
}

TEST_F(Tasks, AskAClientOneQuestionAtATime) {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  node_.SetCheck([&](const MountSettings&, const std::vector<std::string>&,
                     const std::stop_token&) -> Result<CacheCount> {
    most = std::max(most.load(), ++now);
    --now;
    return CacheCount{1, 1 << 20, 0};
  });
  auto survey = MountScanning(std::chrono::seconds(-1));
  survey.mounts[0].version = "1.4.2";
  node_.SetMounts(survey);
  std::vector<std::uint64_t> slices(8);
  for (std::size_t i = 0; i < slices.size(); ++i) slices[i] = i + 1;
  volume_.PutSlices(slices, 1);
  for (const auto slice : slices) {
    node_.Order(std::to_string(slice), 1, PlanOf({slice}, 1), 0, {"/"});
  }
  for (const auto slice : slices) {
    ASSERT_TRUE(node_.WaitForState(std::to_string(slice), TaskState::kVisible)) << slice;
  }
  EXPECT_EQ(most, 1);
}

TEST_F(Tasks, AreStaleIfTheStoreLacksBlocks) {
  volume_.PutSlices({1}, 2);
  node_.Order("p", 1, PlanOf({1, 9}, 2));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kStale));
  EXPECT_EQ(node_.Report("p")->counts.fetched_blocks, 2U);
  EXPECT_EQ(node_.Report("p")->reason, "not_found");
}

TEST_F(Tasks, FailWithTheReasonThatAlsoWarmGives) {
  volume_.PutSlices({1}, 2);
  volume_.s3.FailWhen(rig::KeyContains("chunks"), rig::S3Fault::Status(403, "AccessDenied"));
  node_.Order("denied", 1, PlanOf({1}, 2));
  ASSERT_TRUE(node_.WaitForState("denied", TaskState::kFailed));
  EXPECT_EQ(node_.Report("denied")->reason, "access_denied");

  node_.On([&] { node_.tasks().Order({{"unknown", 1}, "no-such-volume", {}}, PlanOf({1}, 1)); });
  ASSERT_TRUE(node_.WaitForState("unknown", TaskState::kFailed));
  EXPECT_EQ(node_.Report("unknown")->reason, "not_found");
  EXPECT_THAT(node_.Report("unknown")->message, HasSubstr("no-such-volume"));
}

TEST_F(Tasks, FailBeforeTheFirstRequestIfThereIsNoRoom) {
  CacheConfig small;
  small.dirs = {folder_ / "small"};
  small.size = rig::kAgentBlock;
  small.free_space_ratio = 0;
  small.min_free_ratio = 0;
  rig::AgentNode node(small);
  volume_.PutSlices({1}, 4);
  node.On([&] { node.tasks().Describe(volume_.Descriptor()); });
  node.Order("p", 1, PlanOf({1}, 4));
  ASSERT_TRUE(node.WaitForState("p", TaskState::kFailed));
  EXPECT_EQ(node.Report("p")->reason, "no_space");
  EXPECT_TRUE(volume_.BlockRequests().empty());
}

TEST_F(Tasks, AreCancelledWithinASecondWhateverTheStoreDoes) {
  volume_.PutSlices({1}, 16);
  volume_.s3.FailWhen(rig::KeyContains("chunks"), rig::S3Fault::StallAfter(1000));
  node_.Order("p", 1, PlanOf({1}, 16));
  ASSERT_TRUE(rig::WaitFor([&] { return !volume_.BlockRequests().empty(); }));
  const auto begin = node_.clock().Now();
  node_.On([this] { node_.tasks().Cancel({"p", 1}); });
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kCancelled));
  EXPECT_LT(node_.clock().Now() - begin, std::chrono::seconds(1));
}

TEST_F(Tasks, AnswerACancelOfWhatIsNotHeldAndIgnoreThatOfAnOlderGeneration) {
  node_.On([this] { node_.tasks().Cancel({"gone", 3}); });
  EXPECT_EQ(node_.Report("gone")->state, TaskState::kCancelled);
  EXPECT_EQ(node_.Report("gone")->id.generation, 3U);

  volume_.PutSlices({1}, 1);
  node_.Order("p", 2, PlanOf({1}, 1));
  node_.On([this] { node_.tasks().Cancel({"p", 1}); });
  EXPECT_TRUE(node_.WaitForState("p", TaskState::kVisible));
}

TEST_F(Tasks, KeepReportsUntilForgottenAndIgnoreOlderOrders) {
  volume_.PutSlices({1, 2}, 1);
  node_.Order("p", 5, PlanOf({1}, 1));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  node_.Order("p", 4, PlanOf({2}, 1));
  EXPECT_EQ(node_.Report("p")->id.generation, 5U);
  node_.On([this] { node_.tasks().Forget({"p", 4}); });
  EXPECT_TRUE(node_.Report("p"));
  node_.On([this] { node_.tasks().Forget({"p", 5}); });
  EXPECT_FALSE(node_.Report("p"));
  EXPECT_EQ(node_.On([this] { return node_.tasks().Totals().counts.fetched_blocks; }), 1U);
}

TEST_F(Tasks, AreReplacedByANewerGenerationWhileTheyRun) {
  volume_.PutSlices({1, 2}, 4);
  volume_.s3.FailWhen(rig::KeyContains("/1_"), rig::S3Fault::StallAfter(1000));
  node_.Order("p", 1, PlanOf({1}, 4));
  ASSERT_TRUE(rig::WaitFor([&] { return !volume_.BlockRequests().empty(); }));
  node_.Order("p", 2, PlanOf({2}, 4));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  EXPECT_EQ(node_.Report("p")->id.generation, 2U);
  EXPECT_FALSE(Has(1, 0));
  EXPECT_TRUE(Has(2, 3));
}

TEST_F(Tasks, WithoutTheirPlanAreGivenBackWhenOnlyTheRankIsSent) {
  node_.On([this] { node_.tasks().SetRank({{"p", 7}, "models", {}}); });
  EXPECT_EQ(node_.Report("p")->state, TaskState::kCancelled);
}

TEST_F(Tasks, ThatAreRaisedOvertakeTheOthers) {
  volume_.PutSlices({1, 2}, 32);
  node_.On([this] { node_.tasks().SetLimits({2'000'000, 0}); });
  node_.Order("first", 1, PlanOf({1}, 32), 5);
  node_.Order("second", 1, PlanOf({2}, 32), 1);
  node_.On([this] { node_.tasks().SetRank({{"second", 1}, "models", {9, {}, {}}}); });
  ASSERT_TRUE(node_.WaitForState("second", TaskState::kVisible));
  const auto first = *node_.Report("first");
  EXPECT_NE(first.state, TaskState::kVisible);
  EXPECT_LT(first.counts.fetched_blocks, 24U);
  EXPECT_TRUE(node_.WaitForState("first", TaskState::kVisible));
}

TEST_F(Tasks, ReleaseWhatANewerGenerationNoLongerNeeds) {
  volume_.PutSlices({1, 2, 3, 4}, 2);
  node_.Order("p", 1, PlanOf({1, 2, 4}, 2));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  node_.Order("other", 1, PlanOf({4}, 2));
  ASSERT_TRUE(node_.WaitForState("other", TaskState::kVisible));
  node_.On([this] { node_.tasks().Forget({"p", 1}); });
  std::filesystem::create_hard_link(FileOf(1, 1), folder_.path() / "another-name");

  node_.Order("p", 2, PlanOf({2, 3}, 2));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  EXPECT_TRUE(rig::WaitFor([&] { return !Has(1, 0); }));
  EXPECT_TRUE(Has(1, 1)) << "somebody has given it another name";
  EXPECT_TRUE(Has(2, 0) && Has(2, 1) && Has(3, 0) && Has(3, 1));
  EXPECT_TRUE(Has(4, 0) && Has(4, 1)) << "another task needs it";
}

TEST_F(Tasks, ReleaseNothingThatSomebodyElseStored) {
  volume_.PutSlices({1, 2}, 1);
  {
    rig::AgentNode earlier(folder_ / "cache");
    earlier.On([&] { earlier.tasks().Describe(volume_.Descriptor()); });
    earlier.Order("p", 1, PlanOf({1}, 1));
    ASSERT_TRUE(earlier.WaitForState("p", TaskState::kVisible));
  }
  node_.Order("p", 1, PlanOf({1}, 1));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  node_.Order("p", 2, PlanOf({2}, 1));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  node_.Await([this] { return node_.tasks().Drain(); });
  EXPECT_TRUE(Has(1, 0));
}

TEST_F(Tasks, OpenAVolumeAnewWhenItIsDescribedAnew) {
  volume_.PutSlices({1}, 1);
  auto moved = volume_.Descriptor();
  moved.cache_directories = {folder_ / "elsewhere"};
  node_.On([&] { node_.tasks().Describe(moved); });
  node_.Order("p", 1, PlanOf({1}, 1));
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  EXPECT_TRUE(std::filesystem::exists(FileOf(1, 0, "elsewhere")));
  EXPECT_FALSE(Has(1, 0));
}

TEST_F(Tasks, ManyAtOnceAllEnd) {
  std::vector<std::uint64_t> slices(100);
  for (std::size_t i = 0; i < slices.size(); ++i) slices[i] = i + 1;
  volume_.PutSlices(slices, 1);
  for (const auto slice : slices) node_.Order(std::to_string(slice), 1, PlanOf({slice}, 1));
  for (const auto slice : slices) {
    ASSERT_TRUE(node_.WaitForState(std::to_string(slice), TaskState::kVisible)) << slice;
  }
}

TEST_F(Tasks, AreAsTheyWereAfterADrainAndTakeNoOrders) {
  volume_.PutSlices({1}, 16);
  volume_.s3.FailWhen(rig::KeyContains("chunks"), rig::S3Fault::StallAfter(1000));
  node_.Order("p", 1, PlanOf({1}, 16));
  ASSERT_TRUE(rig::WaitFor([&] { return !volume_.BlockRequests().empty(); }));
  const auto begin = node_.clock().Now();
  node_.Await([this] { return node_.tasks().Drain(); });
  EXPECT_LT(node_.clock().Now() - begin, std::chrono::seconds(3));
  EXPECT_EQ(node_.Report("p")->state, TaskState::kRunning);
  node_.Order("late", 1, PlanOf({1}, 16));
  EXPECT_FALSE(node_.Report("late"));
}

}  // namespace
}  // namespace prewarm::agent
