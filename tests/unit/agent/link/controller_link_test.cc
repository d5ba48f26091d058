#include "agent/link/controller_link.h"

#include <gmock/gmock.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/rig/agent_node.h"
#include "tests/rig/certificates.h"
#include "tests/rig/socket_server.h"
#include "tests/unit/agent/link/scripted_controller.h"

namespace prewarm::agent {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class Link : public testing::Test {
 protected:
  ~Link() override { Close(); }

  void Dial(std::vector<std::string> addresses) {
    ControllerAddress controller;
    controller.addresses = std::move(addresses);
    controller.insecure_loopback = true;
    Dial(std::move(controller));
  }
  void Dial(ControllerAddress controller) {
    node_.On([&] {
      auto link = ControllerLink::Open({node_.executor(),
                                        node_.clock(),
                                        Logger(LogLevel::kError),
                                        node_.tasks(),
                                        [this] { return state_; },
                                        std::move(controller),
                                        {"node-a", "1.2.3", "instance-1", {{"pool", "gpu"}}},
                                        node_.pool()});
      ASSERT_TRUE(link) << link.error().message;
      link_ = *std::move(link);
      group_ = std::make_unique<TaskGroup>(node_.executor());
      group_->Spawn("link", link_->Run());
    });
  }
  void Close() {
    if (group_ == nullptr) return;
    node_.On([this] { group_->Stop(); });
    ASSERT_TRUE(
        rig::WaitFor([this] { return node_.On([this] { return group_->running() == 0; }); }));
    node_.On([this] {
      node_.tasks().OnChange([] {});
      group_.reset();
      link_.reset();
    });
  }
  bool WaitUntilConnected() {
    return rig::WaitFor([this] { return node_.On([this] { return link_->connected(); }); });
  }
  template <class Message>
  static void SetTask(Message& message, const std::string& prewarm, std::uint64_t generation) {
    message.mutable_task()->set_prewarm(prewarm);
    message.mutable_task()->set_generation(generation);
  }
  void Describe(ScriptedController& controller) {
    v1::ControllerMessage message;
    message.mutable_volume()->set_name("models");
    message.mutable_volume()->set_setting(volume_.Descriptor().setting);
    controller.Say(message);
  }
  // The order, and its plan with a run in each part.
  static void Order(ScriptedController& controller, const std::string& prewarm,
                    std::uint64_t generation, const std::vector<juicefs::BlockRun>& runs) {
    v1::ControllerMessage head;
    auto& order = *head.mutable_order();
    SetTask(order, prewarm, generation);
    order.set_volume("models");
    order.set_block_size(rig::kAgentBlock);
    for (const auto& run : runs) {
      order.set_planned_blocks(order.planned_blocks() + run.count);
      order.set_planned_bytes(order.planned_bytes() + std::uint64_t{run.count} * rig::kAgentBlock);
    }
    order.set_plan_parts(static_cast<std::uint32_t>(runs.size()));
    controller.Say(head);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      controller.Say(PartOf(prewarm, generation, static_cast<std::uint32_t>(i), runs[i]));
    }
  }
  static v1::ControllerMessage PartOf(const std::string& prewarm, std::uint64_t generation,
                                      std::uint32_t number, const juicefs::BlockRun& run) {
    v1::ControllerMessage message;
    auto& part = *message.mutable_plan();
    SetTask(part, prewarm, generation);
    part.set_part(number);
    part.add_slice_id(run.slice.value);
    part.add_slice_size(run.slice_size);
    part.add_first_index(run.first_index);
    part.add_count(run.count);
    return message;
  }

  rig::TempDir folder_;
  rig::VolumeInS3 volume_;
  rig::AgentNode node_{folder_ / "cache"};
  NodeState state_;
  std::unique_ptr<ControllerLink> link_;
  std::unique_ptr<TaskGroup> group_;
};

TEST_F(Link, SaysAllItKnowsInItsHello) {
  state_.directories = {{"/cache", 100, 60, 7, 80, "nvme"}};
  state_.volumes = {{rig::kAgentUuid, 3, 300, true, Adoption::kRescan, "words"}};
  state_.measured = {11, 22, 33};
  state_.limits = {44, 55};
  node_.On([this] { node_.tasks().Cancel({"held", 4}); });
  ScriptedController controller(9);
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  const auto hello = controller.hellos().at(0);
  EXPECT_EQ(hello.node(), "node-a");
  EXPECT_EQ(hello.version(), "1.2.3");
  EXPECT_EQ(hello.instance(), "instance-1");
  EXPECT_EQ(hello.labels().at("pool"), "gpu");
  EXPECT_EQ(hello.newest_epoch(), 0U);
  EXPECT_EQ(hello.directories(0).path(), "/cache");
  EXPECT_EQ(hello.directories(0).available_bytes(), 60U);
  EXPECT_EQ(hello.directories(0).disk(), "nvme");
  EXPECT_EQ(hello.volumes(0).uuid(), rig::kAgentUuid);
  EXPECT_EQ(hello.volumes(0).adoption(), v1::ADOPTION_RESCAN);
  EXPECT_EQ(hello.measured().disk_read_bytes_per_second(), 22U);
  EXPECT_EQ(hello.status().limits().origin_bytes_per_second(), 44U);
  ASSERT_THAT(hello.tasks(), SizeIs(1));
  EXPECT_EQ(hello.tasks(0).task().generation(), 4U);
  EXPECT_EQ(hello.tasks(0).state(), v1::TASK_STATE_CANCELLED);
  EXPECT_TRUE(rig::WaitFor([&] { return controller.status().has_value(); }));
}

TEST_F(Link, TakesOrdersInPartsAndReportsTheirEnd) {
  volume_.PutSlices({1, 2, 3}, 2);
  ScriptedController controller;
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  Describe(controller);
  Order(controller, "p", 1, rig::RunsOf({1, 2, 3}, 2));
  ASSERT_TRUE(controller.WaitForReport("p", v1::TASK_STATE_VISIBLE));
  const auto report = *controller.Reported("p");
  EXPECT_EQ(report.fetched_blocks(), 6U);
  EXPECT_EQ(report.planned_bytes(), 6ULL * rig::kAgentBlock);
  EXPECT_TRUE(report.has_first_byte_at());

  v1::ControllerMessage forget;
  SetTask(*forget.mutable_forget(), "p", 1);
  controller.Say(forget);
  EXPECT_TRUE(rig::WaitFor([&] { return !node_.Report("p"); }));
}

TEST_F(Link, AnswersPlansThatCannotBeWithAReport) {
  ScriptedController controller;
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  Describe(controller);
  Order(controller, "hole", 1, {{juicefs::SliceId(0), rig::kAgentBlock, 0, 1}});
  Order(controller, "behind", 1, {{juicefs::SliceId(1), rig::kAgentBlock, 5, 1}});
  Order(controller, "twice", 1, rig::RunsOf({1, 1}, 1));
  for (const char* prewarm : {"hole", "behind", "twice"}) {
    ASSERT_TRUE(controller.WaitForReport(prewarm, v1::TASK_STATE_FAILED)) << prewarm;
    EXPECT_EQ(controller.Reported(prewarm)->reason(), "invalid_argument");
  }
  // Columns of different lengths; then an order whose parts never come.
  auto ragged = PartOf("ragged", 1, 0, rig::RunsOf({1}, 1).front());
  ragged.mutable_plan()->add_count(1);
  v1::ControllerMessage head;
  SetTask(*head.mutable_order(), "ragged", 1);
  head.mutable_order()->set_plan_parts(2);
  head.mutable_order()->set_planned_blocks(2);
  head.mutable_order()->set_block_size(rig::kAgentBlock);
  controller.Say(head);
  controller.Say(ragged);
  EXPECT_TRUE(controller.WaitForReport("ragged", v1::TASK_STATE_FAILED));
  SetTask(*head.mutable_order(), "cut", 1);
  controller.Say(head);
  Order(controller, "next", 1, rig::RunsOf({1}, 1));
  EXPECT_TRUE(controller.WaitForReport("cut", v1::TASK_STATE_FAILED));
  EXPECT_EQ(controller.live(), 1U);
}

TEST_F(Link, CancelsWithinASecondAndTellsSo) {
  volume_.PutSlices({1}, 16);
  volume_.s3.FailWhen(rig::KeyContains("chunks"), rig::S3Fault::StallAfter(100));
  ScriptedController controller;
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  Describe(controller);
  Order(controller, "p", 1, rig::RunsOf({1}, 16));
  ASSERT_TRUE(controller.WaitForReport("p", v1::TASK_STATE_RUNNING));
  v1::ControllerMessage cancel;
  SetTask(*cancel.mutable_cancel(), "p", 1);
  controller.Say(cancel);
  EXPECT_TRUE(controller.WaitForReport("p", v1::TASK_STATE_CANCELLED, std::chrono::seconds(1)));
}

TEST_F(Link, TakesLimitsAndSaysThatTheyAreInForce) {
  ScriptedController controller;
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  v1::ControllerMessage limits;
  limits.mutable_limits()->set_origin_bytes_per_second(5);
  controller.Say(limits);
  EXPECT_TRUE(rig::WaitFor(
      [&] { return node_.On([this] { return node_.tasks().limits().origin == 5; }); }));
}

TEST_F(Link, RefusesAnOlderEpochThanTheNewestItHasSeen) {
  ScriptedController newer(9);
  ScriptedController older(3);
  Dial({newer.address(), older.address()});
  ASSERT_TRUE(WaitUntilConnected());
  newer.End({grpc::StatusCode::FAILED_PRECONDITION, "does not lead"});
  ASSERT_TRUE(rig::WaitFor([&] { return !older.hellos().empty(); }));
  EXPECT_EQ(older.hellos().front().newest_epoch(), 9U);
  // It must have left the older one on its own account, and be back at the newer.
  EXPECT_TRUE(rig::WaitFor([&] { return newer.hellos().size() >= 2; }, std::chrono::seconds(30)));
  EXPECT_EQ(older.live(), 0U);
  EXPECT_EQ(node_.On([this] { return link_->epoch(); }), 9U);
}

TEST_F(Link, EndsAStreamThatFallsBackToAnOlderEpoch) {
  volume_.PutSlices({1}, 1);
  ScriptedController controller(9);
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  v1::ControllerMessage limits;
  limits.mutable_limits()->set_origin_bytes_per_second(5);
  controller.Say(limits, 8);
  EXPECT_TRUE(rig::WaitFor([&] { return controller.hellos().size() == 2; }));
  EXPECT_EQ(node_.On([this] { return node_.tasks().limits().origin; }), 0U);
}

TEST_F(Link, LosesNothingWhenTheControllerDiesInTheMiddleOfATask) {
  volume_.PutSlices({1}, 16);
  auto controller = std::make_unique<ScriptedController>();
  const int port = controller->port();
  Dial({controller->address()});
  ASSERT_TRUE(WaitUntilConnected());
  Describe(*controller);
  node_.On([this] { node_.tasks().SetLimits({2'000'000, 0}); });
  Order(*controller, "p", 1, rig::RunsOf({1}, 16));
  ASSERT_TRUE(controller->WaitForReport("p", v1::TASK_STATE_RUNNING));
  controller.reset();
  ASSERT_TRUE(node_.WaitForState("p", TaskState::kVisible));
  ScriptedController next(2, port);
  ASSERT_TRUE(rig::WaitFor([&] { return !next.hellos().empty(); }));
  ASSERT_THAT(next.hellos().front().tasks(), SizeIs(1));
  EXPECT_EQ(next.hellos().front().tasks(0).state(), v1::TASK_STATE_VISIBLE);
  EXPECT_EQ(next.hellos().front().instance(), "instance-1");
}

TEST_F(Link, HasOneStreamAtATimeAndKeepsToldWhyThereIsNone) {
  ScriptedController controller;
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  for (std::size_t i = 1; i <= 5; ++i) {
    controller.End({grpc::StatusCode::ABORTED, "again, please"});
    ASSERT_TRUE(rig::WaitFor([&] { return controller.hellos().size() > i; }));
  }
  EXPECT_EQ(controller.most_live(), 1U);
  node_.On([this] { link_->SetLabels({{"pool", "cpu"}}); });
  ASSERT_TRUE(
      rig::WaitFor([&] { return controller.hellos().back().labels().at("pool") == "cpu"; }));
  // The call before was over, but its end and the new hello came over different connections.
  EXPECT_TRUE(rig::WaitFor([&] { return controller.live() == 1; }));
}

TEST_F(Link, KnowsWhyAControllerRefusedIt) {
  ScriptedController controller(std::nullopt);
  Dial({controller.address()});
  ASSERT_TRUE(rig::WaitFor([&] { return !controller.hellos().empty(); }));
  controller.End({grpc::StatusCode::FAILED_PRECONDITION, "this controller does not lead"});
  EXPECT_TRUE(rig::WaitFor([&] {
    return node_.On([this] { return link_->trouble(); }) == "this controller does not lead";
  }));
}

TEST_F(Link, SaysItsLastWordsBeforeItGoes) {
  ScriptedController controller;
  Dial({controller.address()});
  ASSERT_TRUE(WaitUntilConnected());
  node_.Await([this] { return node_.tasks().Drain(); });
  state_.draining = true;
  const auto begin = node_.clock().Now();
  Close();
  EXPECT_LT(node_.clock().Now() - begin, ControllerLink::kFarewell);
  EXPECT_TRUE(rig::WaitFor([&] { return controller.live() == 0; }));
  ASSERT_TRUE(controller.status());
  EXPECT_TRUE(controller.status()->draining());
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
    const rig::CertificateAuthority& ca, const rig::KeyPair& pair,
    grpc_ssl_client_certificate_request_type demand =
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY) {
  namespace tls = grpc::experimental;
  tls::TlsServerCredentialsOptions options(std::make_shared<tls::FileWatcherCertificateProvider>(
      pair.key_file, pair.certificate_file, ca.ca_file(), 1));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(demand);
  return tls::TlsServerCredentials(options);
}

TEST_F(Link, ProvesWhoItIsAndTakesANewCertificateWithoutARestart) {
  rig::CertificateAuthority ca(folder_.path());
  const auto server = ca.Issue("server", "DNS:controller.test,IP:127.0.0.1");
  const auto expired = ca.Issue("node", "DNS:node-a", -1);
  ScriptedController controller(1, 0, ServerCredentials(ca, server));
  ControllerAddress address;
  address.addresses = {controller.address()};
  address.ca_file = ca.ca_file();
  address.certificate_file = expired.certificate_file;
  address.key_file = expired.key_file;
  address.server_name = "controller.test";
  Dial(address);
  ASSERT_TRUE(rig::WaitFor([this] { return node_.On([this] { return link_->streams() >= 2; }); }));
  EXPECT_TRUE(controller.hellos().empty());
  ca.Issue("node", "DNS:node-a");  // in place of the expired one
  EXPECT_TRUE(rig::WaitFor([&] { return !controller.hellos().empty(); }, std::chrono::seconds(30)));
}

TEST_F(Link, ShowsItsTokenAsTheFileHoldsItAtEachDial) {
  rig::CertificateAuthority ca(folder_.path());
  const auto server = ca.Issue("server", "DNS:controller.test,IP:127.0.0.1");
  ScriptedController controller(
      1, 0, ServerCredentials(ca, server, GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY));
  ControllerAddress address;
  address.addresses = {controller.address()};
  address.ca_file = ca.ca_file();
  address.token_file = folder_ / "token";
  address.server_name = "controller.test";
  std::ofstream(address.token_file) << "first.bound.token\n";
  Dial(address);
  ASSERT_TRUE(WaitUntilConnected());
  EXPECT_EQ(controller.tokens(), std::vector<std::string>{"Bearer first.bound.token"});
  std::ofstream(address.token_file) << "second.bound.token";  // as the kubelet rotates it
  controller.End({grpc::StatusCode::UNAVAILABLE, "again"});
  ASSERT_TRUE(rig::WaitFor([&] { return controller.hellos().size() == 2; }));
  EXPECT_EQ(controller.tokens().back(), "Bearer second.bound.token");
}

TEST_F(Link, DialsNobodyWithoutTheTokenThatItIsToShow) {
  ScriptedController controller;
  ControllerAddress address;
  address.addresses = {controller.address()};
  address.insecure_loopback = true;
  address.token_file = folder_ / "token";
  const auto trouble = [this] { return node_.On([this] { return link_->trouble(); }); };
  Dial(address);
  ASSERT_TRUE(rig::WaitFor([&] { return trouble().find("cannot be read") != std::string::npos; }));
  EXPECT_THAT(trouble(), HasSubstr("controller.token-file " + address.token_file));
  std::ofstream(address.token_file) << "two tokens";
  ASSERT_TRUE(rig::WaitFor([&] { return trouble().find("one line") != std::string::npos; }));
  EXPECT_EQ(trouble().find("two tokens"), std::string::npos);
  EXPECT_TRUE(controller.hellos().empty());
  std::ofstream(address.token_file) << "good.token";
  EXPECT_TRUE(WaitUntilConnected());
}

TEST_F(Link, ConnectsOnceForEachTimeItDials) {
  rig::SocketServer server([](rig::ServedConnection&) {});  // hangs up at once
  Dial({"127.0.0.1:" + std::to_string(server.port())});
  const auto streams = [this] { return node_.On([this] { return link_->streams(); }); };
  ASSERT_TRUE(rig::WaitFor([&] { return streams() >= 5; }, std::chrono::seconds(30)));
  const auto accepted = server.accepted();
  EXPECT_LE(accepted, streams());
  EXPECT_GE(accepted, 4U);
}

TEST_F(Link, NeedsFilesThatCanBeRead) {
  ControllerAddress address;
  address.addresses = {"127.0.0.1:1"};
  address.ca_file = "/nowhere/ca.pem";
  const auto link = ControllerLink::Open({node_.executor(),
                                          node_.clock(),
                                          Logger(LogLevel::kError),
                                          node_.tasks(),
                                          [] { return NodeState(); },
                                          address,
                                          {},
                                          node_.pool()});
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(link.error().message, HasSubstr("/nowhere/ca.pem"));
}

TEST(Backoff, JittersFromNothingToABoundThatDoublesUpToFiveSeconds) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Backoff backoff(seed);
  auto bound = Backoff::kShortest;
  for (int i = 0; i < 10; ++i, bound = std::min(bound * 2, Backoff::kLongest)) {
    EXPECT_LE(backoff.Next(), bound);
  }
  Duration least = std::chrono::hours(1);
  Duration most{};
  for (int i = 0; i < 1000; ++i) {
    const auto pause = backoff.Next();
    least = std::min(least, pause);
    most = std::max(most, pause);
  }
  EXPECT_LE(most, Backoff::kLongest);
  EXPECT_GT(most, std::chrono::seconds(4));
  EXPECT_LT(least, std::chrono::seconds(1));
  backoff.Reset();
  EXPECT_LE(backoff.Next(), Backoff::kShortest);
}

}  // namespace
}  // namespace prewarm::agent
