#include "controller/api/grpc_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "controller/api/grpc_policy.h"
#include "controller/api/grpc_status.h"
#include "tests/unit/controller/fake_controller.h"

namespace prewarm::controller {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using Stub = v1::PrewarmService::Stub;

class Client {
 public:
  explicit Client(const FakeController& controller)
      : stub_(v1::PrewarmService::NewStub(
            grpc::CreateChannel(controller.address(), grpc::InsecureChannelCredentials()))) {}
  Stub& stub() { return *stub_; }

 private:
  std::unique_ptr<Stub> stub_;
};

void GiveToken(grpc::ClientContext& context, const std::string& token = "all") {
  context.AddMetadata("authorization", "Bearer " + token);
}

v1::CreatePrewarmRequest SomeRequest() {
  v1::CreatePrewarmRequest request;
  request.mutable_spec()->set_volume("models");
  request.mutable_spec()->add_paths("llama");
  return request;
}

struct Method {
  std::string name;
  std::function<grpc::Status(Stub&, grpc::ClientContext&)> call;
};

template <class Request, class Response>
auto Unary(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
           Request request) {
  return [method, request](Stub& stub, grpc::ClientContext& context) {
    Response response;
    return (stub.*method)(&context, request, &response);
  };
}

template <class Request>
Request Named(const std::string& name) {
  Request request;
  if constexpr (requires { request.set_id(name); }) {
    request.set_id(name);
  } else if constexpr (requires { request.set_name(name); }) {
    request.set_name(name);
  } else {
    request.set_volume(name);
  }
  return request;
}

std::vector<Method> AllMethods() {
  return {
      {"CreatePrewarm", Unary(&Stub::CreatePrewarm, SomeRequest())},
      {"PlanPrewarm", Unary(&Stub::PlanPrewarm, SomeRequest())},
      {"GetPrewarm", Unary(&Stub::GetPrewarm, Named<v1::GetPrewarmRequest>("pw"))},
      {"ListPrewarms", Unary(&Stub::ListPrewarms, v1::ListPrewarmsRequest())},
      {"CancelPrewarm", Unary(&Stub::CancelPrewarm, Named<v1::CancelPrewarmRequest>("pw"))},
      {"WatchPrewarm",
       [](Stub& stub, grpc::ClientContext& context) {
         const auto stream = stub.WatchPrewarm(&context, Named<v1::GetPrewarmRequest>("pw"));
         v1::Prewarm prewarm;
         while (stream->Read(&prewarm)) continue;
         return stream->Finish();
       }},
      {"ListNodes", Unary(&Stub::ListNodes, v1::ListNodesRequest())},
      {"GetNode", Unary(&Stub::GetNode, Named<v1::GetNodeRequest>("n"))},
      {"ListVolumes", Unary(&Stub::ListVolumes, v1::ListVolumesRequest())},
      {"GetVolume", Unary(&Stub::GetVolume, Named<v1::GetVolumeRequest>("v"))},
      {"ListFiles", Unary(&Stub::ListFiles, Named<v1::ListFilesRequest>("v"))},
  };
}

TEST(GrpcPolicy, NamesTheRightOfEveryMethodOfTheService) {
  const auto* service = v1::Prewarm::descriptor()->file()->FindServiceByName("PrewarmService");
  ASSERT_NE(service, nullptr);
  std::vector<std::string> of_proto, of_table, of_test;
  for (int i = 0; i < service->method_count(); ++i) of_proto.push_back(service->method(i)->name());
  for (const auto& entry : kGrpcPolicy) of_table.emplace_back(entry.method);
  for (const auto& method : AllMethods()) of_test.push_back(method.name);
  EXPECT_EQ(of_proto, of_table);
  EXPECT_EQ(of_proto, of_test);
}

TEST(GrpcService, RefusesEveryMethodWithoutTheRightToken) {
  FakeController controller;
  Client client(controller);
  for (const auto& method : AllMethods()) {
    SCOPED_TRACE(method.name);
    const auto call = [&](const std::vector<std::string>& tokens) {
      grpc::ClientContext context;
      for (const auto& token : tokens) GiveToken(context, token);
      return method.call(client.stub(), context).error_code();
    };
    const auto verb =
        VerbOf(std::ranges::find(kGrpcPolicy, method.name, &MethodPolicy::method)->right);
    EXPECT_EQ(call({}), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(call({"wrong"}), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(call({"all", "all"}), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(call({verb == Verb::kGet ? "writer" : "reader"}), StatusCode::PERMISSION_DENIED);
    const auto allowed = call({verb == Verb::kGet ? "reader" : "writer"});
    EXPECT_TRUE(allowed == StatusCode::OK || allowed == StatusCode::NOT_FOUND) << allowed;
  }
  EXPECT_EQ(controller.With([](FakeService& service) { return service.created.size(); }), 1U);
}

TEST(GrpcService, AsksAboutWhoIsNotKnownAtOnceBeforeItLooksAtTheRequest) {
  FakeController controller;
  Client client(controller);
  auto& authenticator = controller.authenticator();
  for (const auto& method : AllMethods()) {
    SCOPED_TRACE(method.name);
    const auto call = [&] {
      grpc::ClientContext context;
      GiveToken(context, "asked");
      context.AddMetadata("prewarm-namespace", "team-a");
      return method.call(client.stub(), context).error_code();
    };
    authenticator.judge.With([](auto& judge) { judge = Caller{"asked", "default"}; });
    const auto allowed = call();
    EXPECT_TRUE(allowed == StatusCode::OK || allowed == StatusCode::NOT_FOUND) << allowed;
    const auto asked = authenticator.asked.With([](auto& all) { return all.front(); });
    EXPECT_EQ(asked.right,
              std::ranges::find(kGrpcPolicy, method.name, &MethodPolicy::method)->right);
    EXPECT_EQ(asked.name_space, "team-a");
    authenticator.judge.With([](auto& judge) { judge = Refuse(UnknownToken()); });
    EXPECT_EQ(call(), StatusCode::UNAUTHENTICATED);
    authenticator.asked.With([](auto& all) { all.clear(); });
  }
  authenticator.judge.With([](auto& judge) {
    judge = Refuse({ProblemKind::kUnavailable, "cannot-ask", "Away.", {}, 2s});
  });
  grpc::ClientContext context;
  GiveToken(context, "asked");
  v1::Prewarm prewarm;
  const auto away = client.stub().CreatePrewarm(&context, v1::CreatePrewarmRequest(), &prewarm);
  EXPECT_EQ(away.error_code(), StatusCode::UNAVAILABLE) << "whatever the request says";
  EXPECT_EQ(context.GetServerTrailingMetadata().find("retry-after")->second, "2");
}

TEST(GrpcService, EndsAWatchWhoseTokenIsTakenBack) {
  FakeController controller;
  Client client(controller);
  controller.With([](FakeService& service) { service.prewarms["pw"] = {}; });
  grpc::ClientContext context;
  GiveToken(context, "asked");
  v1::GetPrewarmRequest request;
  request.set_id("pw");
  const auto stream = client.stub().WatchPrewarm(&context, request);
  v1::Prewarm prewarm;
  ASSERT_TRUE(stream->Read(&prewarm));
  controller.authenticator().judge.With([](auto& judge) { judge = Refuse(UnknownToken()); });
  controller.With([](FakeService& service) { service.Change("pw", [](PrewarmView&) {}); });
  while (stream->Read(&prewarm)) continue;
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::UNAUTHENTICATED);
}

TEST(GrpcService, NamesEveryWrongFieldOfARequest) {
  FakeController controller;
  Client client(controller);
  auto request = SomeRequest();
  request.mutable_spec()->set_volume("");
  request.mutable_spec()->set_priority(2000);
  request.set_idempotency_key("two words");
  grpc::ClientContext context;
  GiveToken(context);
  v1::Prewarm prewarm;
  const auto status = client.stub().CreatePrewarm(&context, request, &prewarm);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("\nspec.volume: is missing"));
  EXPECT_THAT(status.error_message(), HasSubstr("\nspec.priority: 2000 is not from 0 to 1000"));
  EXPECT_THAT(status.error_message(), HasSubstr("\nidempotency_key: must be visible ASCII"));
}

TEST(GrpcService, AnswersWithWhatTheServiceSays) {
  FakeController controller;
  Client client(controller);
  grpc::ClientContext context;
  GiveToken(context);
  v1::Prewarm prewarm;
  ASSERT_TRUE(client.stub().CreatePrewarm(&context, SomeRequest(), &prewarm).ok());
  EXPECT_EQ(prewarm.id(), "pw-1");
  EXPECT_EQ(prewarm.namespace_(), "default");
  EXPECT_EQ(prewarm.spec().paths(0), "llama");
  EXPECT_EQ(prewarm.state(), v1::PREWARM_STATE_PENDING);
}

// Calls of PlanPrewarm that hang in the service, each on a thread of the test.
class HangingCalls {
 public:
  HangingCalls(FakeController& controller, std::size_t count) : controller_(controller) {
    controller_.With([](FakeService& service) { service.hold = true; });
    for (std::size_t i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<grpc::ClientContext>());
      GiveToken(*contexts_.back());
      threads_.emplace_back([this, context = contexts_.back().get()] {
        Client client(controller_);
        v1::PrewarmPlan plan;
        if (client.stub().PlanPrewarm(context, SomeRequest(), &plan).ok()) ++answered_;
      });
    }
    EXPECT_TRUE(rig::WaitFor([&] { return Held() == count; }));
  }
  ~HangingCalls() { End(); }
  HangingCalls(const HangingCalls&) = delete;
  HangingCalls& operator=(const HangingCalls&) = delete;

  std::size_t Held() {
    return controller_.With([](FakeService& service) { return service.held; });
  }
  void Cancel() {
    for (const auto& context : contexts_) context->TryCancel();
  }
  std::size_t End() {
    controller_.With([](FakeService& service) { service.Release(); });
    threads_.clear();
    return answered_;
  }

 private:
  FakeController& controller_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::atomic<std::size_t> answered_{0};
  std::vector<std::jthread> threads_;
};

TEST(GrpcService, RefusesCallsOverTheLimitAtOnceAndAnswersAgainLater) {
  FakeController controller({.calls = 2});
  Client client(controller);
  const auto get_plan = [&](grpc::ClientContext& context) {
    GiveToken(context);
    v1::PrewarmPlan plan;
    return client.stub().PlanPrewarm(&context, SomeRequest(), &plan).error_code();
  };
  HangingCalls hanging(controller, 2);
  grpc::ClientContext refused;
  refused.set_deadline(std::chrono::system_clock::now() + 5s);
  EXPECT_EQ(get_plan(refused), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.GetServerTrailingMetadata().find(kRetryAfterKey)->second, "1");
  EXPECT_EQ(hanging.End(), 2U);
  EXPECT_TRUE(rig::WaitFor([&] {
    grpc::ClientContext context;
    return get_plan(context) == StatusCode::OK;
  }));
}

TEST(GrpcService, StopsTheWorkOfACallerThatHasGone) {
  FakeController controller;
  HangingCalls hanging(controller, 3);
  hanging.Cancel();
  EXPECT_TRUE(rig::WaitFor([&] { return hanging.Held() == 0; }));
  EXPECT_EQ(controller.With([](FakeService& service) { return service.stopped; }), 3U);
}

TEST(GrpcService, FinishesACreationWhoseCallerHasGone) {
  FakeController controller;
  Client client(controller);
  controller.With([](FakeService& service) { service.hold = true; });
  grpc::ClientContext context;
  GiveToken(context);
  context.set_deadline(std::chrono::system_clock::now() + 200ms);
  v1::Prewarm prewarm;
  EXPECT_EQ(client.stub().CreatePrewarm(&context, SomeRequest(), &prewarm).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  controller.With([](FakeService& service) { service.Release(); });
  EXPECT_TRUE(rig::WaitFor([&] {
    return controller.With([](FakeService& service) { return service.prewarms.size() == 1; });
  }));
}

TEST(GrpcService, EndsACallThatTakesTooLong) {
  FakeController controller({.call = 100ms});
  Client client(controller);
  controller.With([](FakeService& service) { service.hold = true; });
  grpc::ClientContext context;
  GiveToken(context);
  v1::PrewarmPlan plan;
  EXPECT_EQ(client.stub().PlanPrewarm(&context, SomeRequest(), &plan).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(controller.With([](FakeService& service) { return service.stopped; }), 1U);
}

TEST(GrpcService, WatchSendsChangesAtMostTenTimesASecondUntilTheEnd) {
  FakeController controller;
  Client client(controller);
  controller.With([](FakeService& service) { service.prewarms["pw"].view.prewarm.id = "pw"; });
  grpc::ClientContext context;
  GiveToken(context);
  const auto begin = std::chrono::steady_clock::now();
  const auto stream = client.stub().WatchPrewarm(&context, Named<v1::GetPrewarmRequest>("pw"));
  v1::Prewarm prewarm;
  ASSERT_TRUE(stream->Read(&prewarm));
  EXPECT_EQ(prewarm.state(), v1::PREWARM_STATE_PENDING);
  for (int i = 0; i < 500; ++i) {
    controller.With([](FakeService& service) {
      service.Change("pw", [](PrewarmView& view) { ++view.prewarm.generation; });
    });
  }
  controller.With([](FakeService& service) {
    service.Change("pw", [](PrewarmView& view) { view.prewarm.state = PrewarmState::kSucceeded; });
  });
  std::size_t messages = 1;
  while (stream->Read(&prewarm)) ++messages;
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(prewarm.state(), v1::PREWARM_STATE_SUCCEEDED);
  EXPECT_EQ(prewarm.generation(), 500U);
  const auto tenths = (std::chrono::steady_clock::now() - begin) / 100ms;
  EXPECT_LE(messages, static_cast<std::size_t>(tenths) + 2);
}

// A watch of a prewarm that never changes.
class HangingWatch {
 public:
  explicit HangingWatch(FakeController& controller) : client_(controller) {
    controller.With([](FakeService& service) { service.prewarms["pw"]; });
    GiveToken(context_);
    stream_ = client_.stub().WatchPrewarm(&context_, Named<v1::GetPrewarmRequest>("pw"));
    v1::Prewarm prewarm;
    EXPECT_TRUE(stream_->Read(&prewarm));
    EXPECT_TRUE(rig::WaitFor([&] {
      return controller.With([](FakeService& service) { return service.watches == 1; });
    }));
  }
  grpc::Status Finish() {
    v1::Prewarm prewarm;
    while (stream_->Read(&prewarm)) continue;
    return stream_->Finish();
  }
  void Cancel() { context_.TryCancel(); }
  std::string Trailer(const char* key) {
    const auto at = context_.GetServerTrailingMetadata().find(key);
    if (at == context_.GetServerTrailingMetadata().end()) return "";
    return {at->second.data(), at->second.size()};
  }

 private:
  Client client_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::Prewarm>> stream_;
};

TEST(GrpcService, StopEndsAHangingWatchAndTellsToComeBack) {
  FakeController controller;
  HangingWatch watch(controller);
  controller.Stop();
  const auto status = watch.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("stopping"));
  EXPECT_EQ(watch.Trailer(kProblemTypeKey), "stopping");
}

TEST(GrpcService, RefusesCallsAfterStop) {
  FakeController controller;
  Client client(controller);
  controller.With([&](FakeService&) { controller.grpc_service().Stop(); });
  grpc::ClientContext context;
  GiveToken(context);
  v1::ListNodesResponse response;
  EXPECT_EQ(client.stub().ListNodes(&context, {}, &response).error_code(), StatusCode::UNAVAILABLE);
}

TEST(GrpcService, AServerThatShutsDownFirstEndsAHangingWatchAtItsDeadline) {
  FakeController controller;
  HangingWatch watch(controller);
  controller.server().Shutdown(std::chrono::system_clock::now() + 100ms);
  EXPECT_FALSE(watch.Finish().ok());
  EXPECT_TRUE(rig::WaitFor(
      [&] { return controller.With([](FakeService& service) { return service.watches == 0; }); }));
}

TEST(GrpcService, AWatchWhoseCallerHasGoneEnds) {
  FakeController controller;
  HangingWatch watch(controller);
  watch.Cancel();
  EXPECT_EQ(watch.Finish().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(rig::WaitFor(
      [&] { return controller.With([](FakeService& service) { return service.watches == 0; }); }));
}

TEST(GrpcStatus, KeepsTheMessageSmallEnoughForMetadata) {
  Problem problem{ProblemKind::kInvalid, "invalid-field", "Wrong.", {}, {}};
  for (int i = 0; i < 20; ++i) problem.fields.push_back({"spec.paths", std::string(4000, 'x')});
  const auto status = ToStatus(problem);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_LT(status.error_message().size(), 2100U);
  EXPECT_THAT(status.error_message(), testing::StartsWith("Wrong.\nspec.paths: xxx"));
}

}  // namespace
}  // namespace prewarm::controller
