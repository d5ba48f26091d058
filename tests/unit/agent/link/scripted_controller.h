// A controller as far as the wire shows one: says what a test tells it to, remembers what it hears.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <prewarm/v1/agent_link.grpc.pb.h>

#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/grpc_stream.h"
#include "common/async/guarded.h"
#include "common/async/io_thread.h"
#include "common/async/task_group.h"
#include "tests/rig/child_process.h"

namespace prewarm::agent {

class ScriptedController final : public v1::AgentLink::CallbackService {
 public:
  template <class Function>
  auto On(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto answer = task.get_future();
    boost::asio::post(thread_.executor(), std::move(task));
    return answer.get();
  }

  // Welcomes in this epoch; with none it is silent.
  explicit ScriptedController(
      std::optional<std::uint64_t> epoch = 1, int port = 0,
      std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials())
      : epoch_(epoch), port_(port) {
    group_ = std::make_unique<TaskGroup>(thread_.executor());  // before the first agent
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), std::move(credentials), &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedController() override {
    On([this] {
      group_->Stop();
      if (stream_ != nullptr) stream_->End({grpc::StatusCode::UNAVAILABLE, "the controller stops"});
    });
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    rig::WaitFor([this] { return On([this] { return group_->running() == 0; }); });
    On([this] {
      stream_.reset();
      group_.reset();
    });
  }

  grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* Connect(
      grpc::CallbackServerContext* context) override {
    std::string token;
    if (const auto at = context->client_metadata().find("authorization");
        at != context->client_metadata().end()) {
      token.assign(at->second.data(), at->second.size());
    }
    return new ServerStreamReactor<v1::AgentMessage, v1::ControllerMessage>(
        thread_.executor(), [this, token](std::shared_ptr<Stream> stream) {
          if (!token.empty()) tokens_.push_back(token);
          if (!group_->Spawn("agent", Serve(stream))) stream->End();
        });
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void Say(v1::ControllerMessage message, std::optional<std::uint64_t> epoch = std::nullopt) {
    message.set_epoch(epoch.value_or(epoch_.value_or(0)));
    On([&] {
      if (stream_ != nullptr) stream_->Send(std::move(message));
    });
  }
  void End(const grpc::Status& status) {
    On([&] {
      if (stream_ != nullptr) stream_->End(status);
    });
  }

  std::vector<v1::Hello> hellos() {
    return On([this] { return hellos_; });
  }
  // The headers "authorization", one for each stream that had it.
  std::vector<std::string> tokens() {
    return On([this] { return tokens_; });
  }
  // Of all reports heard, the last one about a prewarm.
  std::optional<v1::TaskReport> Reported(const std::string& prewarm) {
    return On([&]() -> std::optional<v1::TaskReport> {
      const auto at = reports_.find(prewarm);
      if (at == reports_.end()) return std::nullopt;
      return at->second;
    });
  }
  bool WaitForReport(const std::string& prewarm, v1::TaskState state,
                     std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    return rig::WaitFor(
        [&] {
          const auto report = Reported(prewarm);
          return report && report->state() == state;
        },
        limit);
  }
  std::optional<v1::NodeStatus> status() {
    return On([this] { return status_; });
  }
  std::size_t live() {
    return On([this] { return live_; });
  }
  std::size_t most_live() {
    return On([this] { return most_live_; });
  }

 private:
  using Stream = MessageStream<v1::AgentMessage, v1::ControllerMessage>;

  Task<void> Serve(std::shared_ptr<Stream> stream) {
    stream_ = stream;
    most_live_ = std::max(most_live_, ++live_);
    while (auto message = co_await stream->Receive()) {
      if (message->has_hello()) {
        hellos_.push_back(message->hello());
        for (const auto& report : message->hello().tasks()) Note(report);
        if (epoch_) Welcome(*stream);
      }
      for (const auto& report : message->reports().tasks()) Note(report);
      if (message->has_status()) status_ = message->status();
    }
    stream->End();
    --live_;
  }
  void Note(const v1::TaskReport& report) { reports_[report.task().prewarm()] = report; }
  void Welcome(Stream& stream) const {
    v1::ControllerMessage welcome;
    welcome.set_epoch(*epoch_);
    welcome.mutable_welcome()->mutable_status_interval()->set_seconds(1);
    stream.Send(std::move(welcome));
  }

  const std::optional<std::uint64_t> epoch_;
  int port_ = 0;
  IoThread thread_;
  std::unique_ptr<TaskGroup> group_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<Stream> stream_;
  std::vector<v1::Hello> hellos_;
  std::vector<std::string> tokens_;
  std::map<std::string, v1::TaskReport> reports_;
  std::optional<v1::NodeStatus> status_;
  std::size_t live_ = 0;
  std::size_t most_live_ = 0;
};

}  // namespace prewarm::agent
