#include "controller/agents/agent_registry.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "controller/agents/link_service.h"
#include "tests/rig/child_process.h"
#include "tests/unit/controller/plan_fixtures.h"

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kLimit = std::chrono::seconds(10);

// "token-of-<node>" proves that node; "away" cannot be asked about.
class SomeProof final : public AgentProof {
 public:
  Task<Result<std::string>> NodeOf(Secret token) override {
    const auto& text = token.Reveal();
    if (text == "away") co_return Fail(ErrorCode::kTimeout, "nobody can be asked");
    if (!text.starts_with("token-of-")) co_return Fail(ErrorCode::kPermission, "no such token");
    co_return text.substr(9);
  }
};

// A real gRPC server with a registry behind it.
class AgentLink : public testing::Test {
 protected:
  template <class Function>
  auto On(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto answer = task.get_future();
    boost::asio::post(loop_, std::move(task));
    return answer.get();
  }
  AgentLink() : work_(loop_.get_executor()) {
    registry_.SetEpoch(7);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~AgentLink() override {
    On([this] { group_.Stop(); });
    server_->Shutdown(std::chrono::system_clock::now() + kLimit);
    work_.reset();
    thread_.join();
  }

  template <class Function>
  bool Eventually(Function function) {
    return rig::WaitFor([&] { return On(function); }, kLimit);
  }

  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  SystemClock clock_;
  Logger log_{LogLevel::kError};
  int changes_ = 0;
  AgentRegistry registry_{clock_, log_, {.version = "test"}, [this] { ++changes_; }};
  TaskGroup group_{loop_.get_executor()};
  SomeProof proof_;
  LinkService service_{loop_.get_executor(), registry_, group_, &proof_};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

// An agent as far as the wire shows one: blocking.
class Dialled {
 public:
  explicit Dialled(int port, const std::string& node, const std::string& instance = "one",
                   const std::vector<std::string>& tokens = {})
      : stub_(v1::AgentLink::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                         grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + kLimit);
    for (const auto& token : tokens) context_.AddMetadata("authorization", "Bearer " + token);
    stream_ = stub_->Connect(&context_);
    hello.mutable_hello()->set_node(node);
    hello.mutable_hello()->set_instance(instance);
    hello.mutable_hello()->set_version("1.0");
  }
  void SayHello() { stream_->Write(hello); }
  void Say(const v1::AgentMessage& message) { stream_->Write(message); }
  v1::ControllerMessage Hear() {
    v1::ControllerMessage message;
    EXPECT_TRUE(stream_->Read(&message));
    return message;
  }
  grpc::Status End() {
    v1::ControllerMessage message;
    while (stream_->Read(&message)) {
    }
    return stream_->Finish();
  }
  void Leave() { context_.TryCancel(); }

  v1::AgentMessage hello;

 private:
  std::unique_ptr<v1::AgentLink::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>> stream_;
};

v1::AgentMessage Reported(const std::string& prewarm, std::uint64_t generation,
                          v1::TaskState state) {
  v1::AgentMessage message;
  auto& report = *message.mutable_reports()->add_tasks();
  report.mutable_task()->set_prewarm(prewarm);
  report.mutable_task()->set_generation(generation);
  report.set_state(state);
  return message;
}

TEST_F(AgentLink, WelcomesAnAgentAndKnowsWhatItSaid) {
  Dialled agent(port_, "node-a");
  auto* directory = agent.hello.mutable_hello()->add_directories();
  directory->set_path("/cache");
  directory->set_capacity_bytes(100);
  directory->set_available_bytes(60);
  (*agent.hello.mutable_hello()->mutable_labels())["pool"] = "gpu";
  agent.SayHello();
  const auto welcome = agent.Hear();
  EXPECT_TRUE(welcome.has_welcome());
  EXPECT_EQ(welcome.epoch(), 7U);
  const auto node = On([this] { return *registry_.Find("node-a"); });
  EXPECT_TRUE(node.connected);
  EXPECT_EQ(node.labels.at("pool"), "gpu");
  EXPECT_EQ(node.CapacityBytes(), 100U);
  EXPECT_EQ(node.AvailableBytes(), 60U);
  agent.Leave();
  EXPECT_TRUE(Eventually([this] { return !registry_.Find("node-a")->connected; }));
}

TEST_F(AgentLink, SendsVolumeOrderAndPlanOnceAndOnlyTheRankAfterwards) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  const auto plan = APlan(5);
  VolumeDescriptor volume;
  volume.name = "models";
  volume.setting = "{}";
  On([&] {
    registry_.Send(Order{"node-a", "p", 1, {3, {}, 1}, true}, volume, &plan);
    registry_.Send(Order{"node-a", "p", 1, {9, {}, 1}, false}, volume, &plan);
  });
  EXPECT_EQ(agent.Hear().volume().name(), "models");
  const auto order = agent.Hear().order();
  EXPECT_EQ(order.priority(), 3);
  EXPECT_EQ(order.planned_blocks(), 5U);
  EXPECT_EQ(order.plan_parts(), 1U);
  const auto part = agent.Hear().plan();
  EXPECT_THAT(part.slice_id(), ElementsAre(1));
  EXPECT_THAT(part.count(), ElementsAre(5));
  const auto again = agent.Hear().order();
  EXPECT_EQ(again.priority(), 9);
  EXPECT_EQ(again.plan_parts(), 0U);
}

TEST_F(AgentLink, SendsWhatThePlanWasMadeFromUnlessThatIsTooMuch) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  auto plan = APlan(5);
  const auto sent = [&](std::uint64_t generation, std::vector<std::string> paths) {
    plan.paths = std::move(paths);
    On([&] {
      registry_.Send(Order{"node-a", "p", generation, {}, true}, VolumeDescriptor{}, &plan);
    });
    if (generation == 1) agent.Hear();  // the volume
    auto order = agent.Hear().order();
    agent.Hear();  // the plan
    return order;
  };
  EXPECT_THAT(sent(1, {"/m/\xff", "/n"}).paths(), ElementsAre("/m/\xff", "/n"));
  EXPECT_THAT(sent(2, std::vector<std::string>(1000, std::string(4096, 'x'))).paths(),
              testing::IsEmpty());
  EXPECT_THAT(sent(3, {}).paths(), testing::IsEmpty());
}

TEST_F(AgentLink, CutsALargePlanIntoParts) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  std::vector<juicefs::BlockRun> runs;
  for (std::uint64_t i = 1; i <= 250'000; ++i)
    runs.push_back({juicefs::SliceId(i), 64 << 10, 0, 1});
  ResolvedPlan plan;
  plan.blocks = *juicefs::BlockPlan::FromRuns(runs, 64 << 10);
  On([&] { registry_.Send(Order{"node-a", "p", 1, {}, true}, VolumeDescriptor{}, &plan); });
  agent.Hear();
  const auto parts = agent.Hear().order().plan_parts();
  EXPECT_GT(parts, 1U);
  std::uint64_t next = 1;
  for (std::uint32_t part = 0; part < parts; ++part) {
    const auto message = agent.Hear();
    EXPECT_EQ(message.plan().part(), part);
    EXPECT_LT(message.ByteSizeLong(), 4U << 20);
    for (const auto slice : message.plan().slice_id()) ASSERT_EQ(slice, next++);
  }
  EXPECT_EQ(next, 250'001U);
}

TEST_F(AgentLink, TakesReportsAndDropsThoseOfReplacedGenerations) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  const auto plan = APlan(5);
  On([&] { registry_.Send(Order{"node-a", "p", 2, {}, true}, VolumeDescriptor{}, &plan); });
  agent.Say(Reported("p", 1, v1::TASK_STATE_VISIBLE));
  agent.Say(Reported("p", 2, v1::TASK_STATE_RUNNING));
  std::vector<AgentRegistry::Report> reports;
  ASSERT_TRUE(Eventually([&] {
    for (auto& report : registry_.TakeReports()) reports.push_back(std::move(report));
    return !reports.empty();
  }));
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].node, "node-a");
  EXPECT_EQ(reports[0].task.held.generation, 2U);
  EXPECT_EQ(reports[0].task.held.state, TaskState::kRunning);
}

TEST_F(AgentLink, RefusesWhoeverMayNotServe) {
  {
    Dialled nobody(port_, "");
    nobody.SayHello();
    EXPECT_EQ(nobody.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    Dialled from_the_future(port_, "node-a");
    from_the_future.hello.mutable_hello()->set_newest_epoch(8);
    from_the_future.SayHello();
    EXPECT_EQ(from_the_future.End().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  }
  {
    Dialled rude(port_, "node-a");
    rude.Say(Reported("p", 1, v1::TASK_STATE_RUNNING));
    EXPECT_EQ(rude.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  On([this] {
    registry_.SetEpoch(0);
    registry_.SetLeader("controller-1");
  });
  Dialled early(port_, "node-a");
  early.SayHello();
  const auto refused = early.End();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.error_message(), "this controller does not lead: controller-1 does");
}

TEST_F(AgentLink, ASecondProcessOfANodeIsRefusedAndANewStreamOfTheSameTakesOver) {
  Dialled first(port_, "node-a", "one");
  first.SayHello();
  first.Hear();
  Dialled other(port_, "node-a", "two");
  other.SayHello();
  EXPECT_EQ(other.End().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  Dialled again(port_, "node-a", "one");
  again.SayHello();
  EXPECT_TRUE(again.Hear().has_welcome());
  EXPECT_EQ(first.End().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(On([this] { return registry_.connected(); }), 1U);
  EXPECT_TRUE(On([this] { return registry_.Find("node-a")->connected; }));
}

TEST_F(AgentLink, ANewEpochBeginsAnewWithEverybody) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  On([this] { registry_.SetEpoch(8); });
  EXPECT_EQ(agent.End().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(AgentLink, TellsAVolumeOnceBeforeItsFirstTask) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  const auto plan = APlan(1);
  VolumeDescriptor volume;
  volume.name = "models";
  volume.setting = R"({"SecretKey":"x"})";
  volume.holds_credentials = true;
  On([&] {
    registry_.Send(Order{"node-a", "p", 1, {}, true}, volume, &plan);
    registry_.Send(Order{"node-a", "q", 1, {}, true}, volume, &plan);
  });
  EXPECT_EQ(agent.Hear().volume().setting(), volume.setting);
  EXPECT_EQ(agent.Hear().order().task().prewarm(), "p");
  agent.Hear();
  EXPECT_EQ(agent.Hear().order().task().prewarm(), "q") << "the volume was told already";
}

TEST_F(AgentLink, SaysACancelOnceAndForgetsWhatIsForgotten) {
  Dialled agent(port_, "node-a");
  auto& task = *agent.hello.mutable_hello()->add_tasks();
  task.mutable_task()->set_prewarm("p");
  task.mutable_task()->set_generation(4);
  task.set_state(v1::TASK_STATE_RUNNING);
  agent.SayHello();
  agent.Hear();
  EXPECT_THAT(On([this] { return registry_.Held().at("node-a"); }), SizeIs(1));
  On([this] {
    registry_.Send(Cancel{"node-a", "p", 4});
    registry_.Send(Cancel{"node-a", "p", 4});
    registry_.Send(Forget{"node-a", "p", 4});
  });
  EXPECT_EQ(agent.Hear().cancel().task().generation(), 4U);
  EXPECT_TRUE(agent.Hear().has_forget());
  EXPECT_THAT(On([this] { return registry_.Held().at("node-a"); }), IsEmpty());
}

TEST_F(AgentLink, TellsLimitsOnlyWhenTheyChange) {
  Dialled agent(port_, "node-a");
  agent.SayHello();
  agent.Hear();
  On([this] {
    registry_.SetLimits("node-a", {100, 0});
    registry_.SetLimits("node-a", {100, 0});
    registry_.SetLimits("node-a", {50, 7});
  });
  EXPECT_EQ(agent.Hear().limits().origin_bytes_per_second(), 100U);
  const auto second = agent.Hear().limits();
  EXPECT_EQ(second.origin_bytes_per_second(), 50U);
  EXPECT_EQ(second.disk_write_bytes_per_second(), 7U);
}

TEST_F(AgentLink, TakesAnAgentForTheNodeThatItsTokenProvesAlone) {
  Dialled good(port_, "gpu-1", "one", {"token-of-gpu-1"});
  good.SayHello();
  EXPECT_TRUE(good.Hear().has_welcome());
  Dialled liar(port_, "gpu-2", "one", {"token-of-gpu-1"});
  liar.SayHello();
  const auto refused = liar.End();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(refused.error_message(), "the token is that of node gpu-1, not of gpu-2");
  EXPECT_EQ(On([this] { return registry_.connected(); }), 1U);
}

TEST_F(AgentLink, RefusesATokenThatProvesNothingEvenOnLoopback) {
  Dialled stranger(port_, "gpu-1", "one", {"some-token"});
  const auto refused = stranger.End();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(refused.error_message(), "no such token");
  Dialled later(port_, "gpu-1", "one", {"away"});
  EXPECT_EQ(later.End().error_code(), grpc::StatusCode::UNAVAILABLE) << "it may try again";
}

}  // namespace
}  // namespace prewarm::controller
