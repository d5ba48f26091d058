// The daemon as a process: killed in the middle of a task, and asked to stop while a store is slow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "agent/link/wire.h"
#include "common/base/clock.h"
#include "tests/rig/agent_node.h"
#include "tests/unit/agent/link/scripted_controller.h"

namespace prewarm::agent {
namespace {

using testing::HasSubstr;

class Serve : public testing::Test {
 protected:
  void Start() {
    const auto config = folder_ / "agent.yaml";
    std::ofstream(config) << "controller: {addresses: [\"" << controller_.address()
                          << "\"], insecure-loopback: true}\n"
                             "node: {name: node-a, measure-disks: false}\n"
                             "admin: {listen: \"127.0.0.1:0\"}\n"
                             "cache: {cache-dir: [\""
                          << folder_ / "cache" << "\"], free-space-ratio: 0, min-free: 0}\n";
    const auto before = controller_.hellos().size();
    daemon_.emplace(std::vector<std::string>{PREWARM_AGENT, "serve", "--config", config},
                    folder_ / "log");
    ASSERT_TRUE(rig::WaitFor([&] { return controller_.hellos().size() > before; }))
        << daemon_->Log();
  }
  // One run of so many blocks.
  void Order(const std::string& prewarm, std::uint32_t blocks, std::uint64_t slice) {
    v1::ControllerMessage message;
    message.mutable_volume()->set_name("models");
    message.mutable_volume()->set_setting(volume_.Descriptor().setting);
    controller_.Say(message);
    auto& order = *message.mutable_order();
    order.mutable_task()->set_prewarm(prewarm);
    order.mutable_task()->set_generation(1);
    order.set_volume("models");
    order.set_block_size(rig::kAgentBlock);
    order.set_planned_blocks(blocks);
    order.set_planned_bytes(std::uint64_t{blocks} * rig::kAgentBlock);
    order.set_plan_parts(1);
    const auto task = order.task();
    controller_.Say(message);
    auto& plan = *message.mutable_plan();
    *plan.mutable_task() = task;
    plan.add_slice_id(slice);
    plan.add_slice_size(blocks * rig::kAgentBlock);
    plan.add_first_index(0);
    plan.add_count(blocks);
    controller_.Say(message);
  }
  // Whole blocks in the cache.
  [[nodiscard]] rig::TreeReport Tree() const {
    return rig::CheckVolumeTree(folder_.path() / "cache" / rig::kAgentUuid,
                                {0600, ::geteuid(), ::getegid()});
  }
  [[nodiscard]] bool Has(std::uint64_t slice, std::uint32_t index) const {
    return std::filesystem::exists(rig::OraclePath(folder_.path() / "cache" / rig::kAgentUuid,
                                                   {slice, index, rig::kAgentBlock}));
  }

  rig::TempDir folder_;
  rig::VolumeInS3 volume_;
  ScriptedController controller_;
  SystemClock clock_;
  std::optional<rig::ChildProcess> daemon_;
};

TEST_F(Serve, ResumesAfterAKillAndFetchesNoWholeBlockTwice) {
  constexpr std::uint32_t kBlocks = 200;
  volume_.PutSlices({1}, kBlocks);
  volume_.s3.FailWhen(rig::KeyContains("chunks"),
                      rig::S3Fault::Slow(16 << 10, std::chrono::milliseconds(10)));
  Start();
  Order("p", kBlocks, 1);
  ASSERT_TRUE(rig::WaitFor([this] { return Tree().blocks >= 20; }));
  daemon_->Signal(SIGKILL);
  daemon_->Wait();
  std::vector<std::string> whole;
  for (std::uint32_t i = 0; i < kBlocks; ++i) {
    if (Has(1, i)) whole.push_back(rig::VolumeInS3::KeyOf(1, i));
  }
  ASSERT_LT(whole.size(), kBlocks);
  const auto before = volume_.BlockRequests();

  volume_.s3.StopFailing();
  Start();
  EXPECT_EQ(controller_.hellos().back().tasks_size(), 0);
  EXPECT_NE(controller_.hellos().back().instance(), controller_.hellos().front().instance());
  Order("p", kBlocks, 1);
  ASSERT_TRUE(controller_.WaitForReport("p", v1::TASK_STATE_VISIBLE)) << daemon_->Log();
  const auto after = volume_.BlockRequests();
  for (const auto& key : whole) EXPECT_EQ(after.at(key), before.at(key)) << key;
  EXPECT_EQ(controller_.Reported("p")->present_blocks(), whole.size());
  EXPECT_EQ(Tree().blocks, kBlocks);
  EXPECT_TRUE(Tree().violations.empty());
}

TEST_F(Serve, DrainsWithinFiveSecondsWhileAStoreHangs) {
  volume_.PutSlices({1}, 50);
  volume_.s3.FailWhen(rig::KeyContains("chunks"), rig::S3Fault::StallAfter(1000));
  Start();
  Order("p", 50, 1);
  ASSERT_TRUE(controller_.WaitForReport("p", v1::TASK_STATE_RUNNING));
  const auto begin = clock_.Now();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->Wait(), 0);
  EXPECT_LT(clock_.Now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(rig::WaitFor([this] { return controller_.live() == 0; }));
  EXPECT_TRUE(controller_.status()->draining());
  EXPECT_EQ(controller_.Reported("p")->state(), v1::TASK_STATE_RUNNING);
  EXPECT_THAT(daemon_->Log(), HasSubstr("stopped"));
}

TEST_F(Serve, TakesLabelsOnHangupAndSaysWhatNeedsARestart) {
  Start();
  std::ofstream(folder_ / "agent.yaml")
      << "controller: {addresses: [\"" << controller_.address()
      << "\"], insecure-loopback: true}\nnode: {name: renamed, labels: {pool: gpu}, "
         "measure-disks: false}\nadmin: {listen: \"127.0.0.1:0\"}\ncache: {cache-dir: [\""
      << folder_ / "cache" << "\"], free-space-ratio: 0, min-free: 0}\n";
  daemon_->Signal(SIGHUP);
  ASSERT_TRUE(rig::WaitFor([this] { return controller_.hellos().size() == 2; })) << daemon_->Log();
  EXPECT_EQ(controller_.hellos().back().labels().at("pool"), "gpu");
  EXPECT_EQ(controller_.hellos().back().node(), "node-a");
  EXPECT_TRUE(rig::WaitFor([this] {
    return daemon_->Log().find("config_needs_restart keys=node.name") != std::string::npos;
  })) << daemon_->Log();

  std::ofstream(folder_ / "agent.yaml") << "nod: {}\n";
  daemon_->Signal(SIGHUP);
  EXPECT_TRUE(
      rig::WaitFor([this] { return daemon_->Log().find("config_refused") != std::string::npos; }));
  EXPECT_TRUE(daemon_->Running());
}

}  // namespace
}  // namespace prewarm::agent
