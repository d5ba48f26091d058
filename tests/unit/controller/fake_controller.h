// A controller without a brain: the real gRPC service over a PrewarmService that does what a test
// says, on a real port.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/async/deadline.h"
#include "common/async/guarded.h"
#include "common/async/io_thread.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "controller/api/authenticator.h"
#include "controller/api/grpc_service.h"
#include "controller/api/prewarm_service.h"
#include "tests/rig/child_process.h"

namespace prewarm::controller {

inline Problem NoSuchThing(const std::string& name) {
  return {ProblemKind::kNotFound, "not-found", "There is no \"" + name + "\".", {}, {}};
}

// Lives on the control executor.
class FakeService final : public PrewarmService {
 public:
  explicit FakeService(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)), changed_(executor_) {}

  struct Entry {
    PrewarmView view;
    std::uint64_t version = 1;
  };
  std::map<std::string, Entry> prewarms;
  std::map<std::string, NodeView> nodes;
  std::map<std::string, VolumeView> volumes;
  std::vector<FileView> files;
  std::vector<CreateRequest> created;
  std::function<void(PrewarmView&)> on_create = [](PrewarmView&) {};
  bool hold = false;        // Create and Plan wait
  std::size_t held = 0;     // waiting now
  std::size_t stopped = 0;  // were stopped while they waited
  int watches = 0;

  void Change(const std::string& id, const std::function<void(PrewarmView&)>& change) {
    change(prewarms.at(id).view);
    ++prewarms.at(id).version;
    changed_.cancel();
  }
  void Release() {
    hold = false;
    changed_.cancel();
  }

  Task<ApiResult<CreateAnswer>> Create(Caller caller, CreateRequest request) override {
    co_await Wait();
    for (const auto& [id, entry] : prewarms) {
      if (!request.idempotency_key.empty() &&
          entry.view.prewarm.idempotency_key == request.idempotency_key) {
        co_return CreateAnswer{entry.view, false};
      }
    }
    created.push_back(request);
    PrewarmView view;
    view.prewarm.id = "pw-" + std::to_string(prewarms.size() + 1);
    view.prewarm.name_space = caller.name_space;
    view.prewarm.spec = request.spec;
    view.prewarm.idempotency_key = request.idempotency_key;
    view.prewarm.created_at = SystemClock().WallNow();
    on_create(view);
    prewarms[view.prewarm.id].view = view;
    co_return CreateAnswer{view, true};
  }
  Task<ApiResult<PlanView>> Plan(Caller, CreateRequest) override {
    if (!co_await Wait()) co_return Refuse(NoSuchThing("patience"));
    PlanView plan;
    plan.files = 3;
    plan.bytes = 5ULL << 30;
    plan.blocks = 1280;
    plan.actions.push_back({"gpu-1", "order", 5ULL << 30});
    plan.rejected.push_back({"gpu-2", "needs 5 GiB, 2 GiB less than it has room for"});
    co_return plan;
  }
  Task<ApiResult<PrewarmView>> Get(Caller, std::string id) override {
    const auto at = prewarms.find(id);
    if (at == prewarms.end()) co_return Refuse(NoSuchThing(id));
    co_return at->second.view;
  }
  ApiResult<Page<PrewarmView>> List(const Caller&, const PrewarmFilter& filter,
                                    const PageRequest& request) override {
    Page<PrewarmView> page;
    std::size_t from = request.token.empty() ? 0 : std::stoul(request.token);
    std::size_t at = 0;
    for (const auto& [id, entry] : prewarms) {
      if (filter.state && entry.view.prewarm.state != *filter.state) continue;
      if (at++ < from) continue;
      if (page.items.size() == request.size) {
        page.next_page_token = std::to_string(at - 1);
        break;
      }
      page.items.push_back(entry.view);
    }
    return page;
  }
  Task<ApiResult<PrewarmView>> Cancel(Caller, std::string id) override {
    const auto at = prewarms.find(id);
    if (at == prewarms.end()) co_return Refuse(NoSuchThing(id));
    Change(id, [](PrewarmView& view) { view.prewarm.state = PrewarmState::kCancelled; });
    co_return at->second.view;
  }
  Task<ApiResult<PrewarmService::Change>> Watch(Caller, std::string id, std::uint64_t seen,
                                                Duration limit) override;

  ApiResult<Page<NodeView>> Nodes(const Caller&, const PageRequest&) override {
    Page<NodeView> page;
    for (const auto& [name, node] : nodes) page.items.push_back(node);
    return page;
  }
  ApiResult<NodeView> NodeNamed(const Caller&, const std::string& name) override {
    const auto at = nodes.find(name);
    if (at == nodes.end()) return Refuse(NoSuchThing(name));
    return at->second;
  }
  ApiResult<Page<VolumeView>> Volumes(const Caller&, const PageRequest&) override {
    Page<VolumeView> page;
    for (const auto& [name, volume] : volumes) page.items.push_back(volume);
    return page;
  }
  ApiResult<VolumeView> VolumeNamed(const Caller&, const std::string& name) override {
    const auto at = volumes.find(name);
    if (at == volumes.end()) return Refuse(NoSuchThing(name));
    return at->second;
  }
  Task<ApiResult<FilesView>> Files(Caller, std::string, std::string, PageRequest page) override {
    FilesView view;
    const std::size_t from = page.token.empty() ? 0 : std::stoul(page.token);
    for (std::size_t i = from; i < std::min(files.size(), from + page.size); ++i) {
      view.files.push_back(files[i]);
    }
    if (from + page.size < files.size()) view.next_page_token = std::to_string(from + page.size);
    view.total_files = files.size();
    for (const auto& file : files) view.total_bytes += file.bytes;
    co_return view;
  }

 private:
  // False if the call was stopped meanwhile.
  Task<bool> Wait() {
    ++held;
    while (hold && !co_await Stopping()) {
      changed_.expires_at(boost::asio::steady_timer::time_point::max());
      co_await changed_.async_wait(kAsTuple);
    }
    --held;
    const bool was_stopped = co_await Stopping();
    if (was_stopped) ++stopped;
    co_return !was_stopped;
  }

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer changed_;
};

inline Task<ApiResult<PrewarmService::Change>> FakeService::Watch(Caller, std::string id,
                                                                  std::uint64_t seen,
                                                                  Duration limit) {
  const auto at = prewarms.find(id);
  if (at == prewarms.end()) co_return Refuse(NoSuchThing(id));
  const auto until = std::chrono::steady_clock::now() + limit;
  ++watches;
  while (at->second.version == seen && std::chrono::steady_clock::now() < until &&
         !co_await Stopping()) {
    changed_.expires_at(until);
    co_await changed_.async_wait(kAsTuple);
  }
  --watches;
  co_return PrewarmService::Change{at->second.view, at->second.version};
}

// "all" may do everything, "reader" may look.
class FakeAuthenticator final : public Authenticator {
 public:
  [[nodiscard]] std::optional<ApiResult<Caller>> Check(
      const AccessRequest& request) const override {
    if (request.authorization == "Bearer asked") return std::nullopt;
    return Judge(request);
  }
  // "asked" is whom `judge` says, after that has been thought about.
  Task<ApiResult<Caller>> Ask(AccessRequest request) override {
    asked.With([&request](auto& all) { all.push_back(request); });
    if (!co_await SleepFor(std::chrono::milliseconds(1))) co_return Refuse(UnknownToken());
    co_return judge.With([](const auto& answer) { return answer; });
  }
  Guarded<ApiResult<Caller>> judge{Caller{"asked", "default"}};
  Guarded<std::vector<AccessRequest>> asked;

 private:
  static ApiResult<Caller> Judge(const AccessRequest& request) {
    const auto& authorization = request.authorization;
    const auto verb = VerbOf(request.right);
    if (authorization == "Bearer all") return Caller{"tests", "default"};
    if (authorization == "Bearer reader") {
      if (verb == Verb::kGet) return Caller{"reader", "default"};
      return Refuse({ProblemKind::kForbidden, "forbidden", "The token may only read.", {}, {}});
    }
    if (authorization == "Bearer writer") {
      if (verb != Verb::kGet) return Caller{"writer", "default"};
      return Refuse({ProblemKind::kForbidden, "forbidden", "The token may not read.", {}, {}});
    }
    return Refuse(
        {ProblemKind::kUnauthenticated, "unauthenticated", "The token is unknown.", {}, {}});
  }
};

class FakeController {
 public:
  explicit FakeController(const GrpcLimits& limits = {}) : limits_(limits) { Start(); }
  FakeController(const FakeController&) = delete;
  FakeController& operator=(const FakeController&) = delete;
  ~FakeController() {
    Stop();
    loop_.Join();
  }

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] grpc::Server& server() { return *server_; }
  [[nodiscard]] GrpcService& grpc_service() { return *grpc_; }
  [[nodiscard]] FakeAuthenticator& authenticator() { return authenticator_; }

  // Runs `body` where the service lives and returns what it returned.
  template <class Body>
  auto With(Body body) {
    std::promise<decltype(body(service_))> result;
    boost::asio::post(loop_.executor(), [&] {
      if constexpr (std::is_void_v<decltype(body(service_))>) {
        body(service_);
        result.set_value();
      } else {
        result.set_value(body(service_));
      }
    });
    return result.get_future().get();
  }

  // On the port that it had before, if it had one.
  void Start() {
    grpc_ = std::make_unique<GrpcService>(
        GrpcService::Parts{loop_.executor(), service_, authenticator_, clock_}, limits_);
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(grpc_.get());
    server_ = builder.BuildAndStart();
  }

  // As the controller does it: calls end first, then the server.
  void Stop() {
    if (!server_) return;
    With([this](FakeService&) {
      grpc_->Stop();
      joining_.Spawn("join", grpc_->Join());
    });
    server_->Shutdown();
    rig::WaitFor([this] { return With([this](FakeService&) { return joining_.running() == 0; }); });
    server_.reset();
    With([this](FakeService&) { grpc_.reset(); });
  }

 private:
  const GrpcLimits limits_;
  const SystemClock clock_;
  IoThread loop_;
  FakeService service_{loop_.executor()};
  FakeAuthenticator authenticator_;
  TaskGroup joining_{loop_.executor()};
  std::unique_ptr<GrpcService> grpc_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

inline NodeTask ATask(const std::string& node, TaskState state, std::uint64_t planned,
                      std::uint64_t fetched) {
  NodeTask task;
  task.node = node;
  task.state = state;
  task.progress.planned_bytes = planned;
  task.progress.fetched_bytes = fetched;
  return task;
}

}  // namespace prewarm::controller
