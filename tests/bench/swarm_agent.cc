#include "tests/bench/swarm_agent.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <utility>

#include "common/async/deadline.h"
#include "common/async/task_group.h"

namespace prewarm::bench {
namespace {

constexpr auto kStatusInterval = std::chrono::seconds(5);
constexpr auto kLongestPause = std::chrono::seconds(5);

}  // namespace

SwarmAgent::SwarmAgent(boost::asio::io_context& loop, const std::string& target, std::string name,
                       SwarmEvents& events)
    : loop_(loop), name_(std::move(name)), events_(events) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);   // a connection of its own
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);  // the pauses below are the backoff
  stub_ = v1::AgentLink::NewStub(
      grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
}

Task<void> SwarmAgent::Live() {
  auto longest = std::chrono::milliseconds(250);
  while (!co_await Stopping()) {
    co_await OneStream();
    if (std::exchange(welcome_, false)) {
      --events_.welcomed;
      longest = std::chrono::milliseconds(250);
    }
    std::uniform_int_distribution<std::int64_t> pause(0, longest.count());
    longest = std::min<std::chrono::milliseconds>(longest * 2, kLongestPause);
    co_await SleepFor(std::chrono::milliseconds(pause(random_)));
  }
}

void SwarmAgent::Cut() {
  if (stream_ != nullptr) stream_->End();
}

Task<void> SwarmAgent::OneStream() {
  auto context = std::make_shared<grpc::ClientContext>();
  stream_ = ClientStreamReactor<v1::ControllerMessage, v1::AgentMessage>::Start(
      loop_.get_executor(), context,
      [this](auto* the_context, auto* reactor) { stub_->async()->Connect(the_context, reactor); },
      [](const grpc::Status&) {});
  stream_->Send(Hello());
  TaskGroup status(loop_.get_executor());
  status.Spawn("status", SayStatus(stream_));
  while (!co_await Stopping()) {
    auto message = co_await stream_->Receive();
    if (!message) break;
    Take(*message);
  }
  stream_->End();
  status.Stop();
  co_await status.Join();
}

Task<void> SwarmAgent::SayStatus(
    std::shared_ptr<MessageStream<v1::ControllerMessage, v1::AgentMessage>> stream) {
  while (!stream->ended() && co_await SleepFor(kStatusInterval)) {
    v1::AgentMessage message;
    *message.mutable_status() = Status();
    stream->Send(std::move(message));
  }
}

v1::NodeStatus SwarmAgent::Status() const {
  v1::NodeStatus status;
  auto* directory = status.add_directories();
  directory->set_path("/var/jfsCache");
  directory->set_capacity_bytes(1ULL << 42);
  directory->set_available_bytes(1ULL << 42);
  directory->set_available_inodes(1ULL << 30);
  directory->set_disk("nvme");
  status.mutable_measured()->set_store_bytes_per_second(1'000'000'000);
  status.mutable_measured()->set_disk_write_bytes_per_second(2'000'000'000);
  return status;
}

v1::AgentMessage SwarmAgent::Hello() const {
  v1::AgentMessage message;
  auto& hello = *message.mutable_hello();
  hello.set_node(name_);
  hello.set_version("swarm");
  hello.set_instance(name_);
  hello.set_newest_epoch(epoch_);
  *hello.mutable_status() = Status();
  for (const auto& [prewarm, report] : held_) *hello.add_tasks() = report;
  return message;
}

void SwarmAgent::Take(const v1::ControllerMessage& message) {
  epoch_ = std::max<std::uint64_t>(epoch_, message.epoch());
  if (message.has_welcome()) {
    welcome_ = true;
    ++events_.welcomed;
  } else if (message.has_order() && message.order().plan_parts() > 0) {
    orders_[message.order().task().prewarm()] = {message.order(), 0};
  } else if (message.has_plan()) {
    const auto& prewarm = message.plan().task().prewarm();
    const auto at = orders_.find(prewarm);
    if (at == orders_.end()) return;
    events_.runs += static_cast<std::uint64_t>(message.plan().slice_id_size());
    if (++at->second.parts < at->second.order.plan_parts()) return;
    events_.last_plan[prewarm] = std::chrono::steady_clock::now();
    ++events_.received[prewarm];
    if (events_.planned) events_.planned(prewarm, name_);
    Report(at->second.order.task(), v1::TASK_STATE_VISIBLE, at->second.order.planned_bytes());
    orders_.erase(at);
  } else if (message.has_cancel()) {
    Report(message.cancel().task(), v1::TASK_STATE_CANCELLED, 0);
  } else if (message.has_forget()) {
    held_.erase(message.forget().task().prewarm());
  }
}

void SwarmAgent::Report(const v1::TaskId& task, v1::TaskState state, std::uint64_t bytes) {
  v1::AgentMessage message;
  auto& report = *message.mutable_reports()->add_tasks();
  *report.mutable_task() = task;
  report.set_state(state);
  report.set_planned_bytes(bytes);
  report.set_fetched_bytes(bytes);
  held_[task.prewarm()] = report;
  stream_->Send(std::move(message));
}

}  // namespace prewarm::bench
