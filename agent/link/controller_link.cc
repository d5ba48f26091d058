#include "agent/link/controller_link.h"

#include <algorithm>
#include <random>
#include <utility>

#include "agent/warm/end_signal.h"
#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/async/task_group.h"

namespace prewarm::agent {
namespace {

constexpr Duration kWelcomeLimit = std::chrono::seconds(10);
constexpr Duration kReportInterval = std::chrono::seconds(1);
// A controller that does not read is told of new states only when it has read the older ones.
constexpr std::size_t kQueueLimit = 64;

// Reads until the stream ends, without looking at what comes.
Task<void> ReadToTheEnd(
    std::shared_ptr<MessageStream<v1::ControllerMessage, v1::AgentMessage>> stream,
    std::shared_ptr<EndSignal> ended) {
  while (co_await stream->Receive()) {
  }
  ended->Set();
}

Duration IntervalOf(const google::protobuf::Duration& interval) {
  const auto asked =
      std::chrono::seconds(interval.seconds()) + std::chrono::nanoseconds(interval.nanos());
  return std::clamp<Duration>(asked, kReportInterval, std::chrono::minutes(1));
}

}  // namespace

Result<std::unique_ptr<ControllerLink>> ControllerLink::Open(Context context) {
  TRY(auto controllers, ControllerRoute::To(context.controller));
  return std::unique_ptr<ControllerLink>(
      new ControllerLink(std::move(context), std::move(controllers)));
}

ControllerLink::ControllerLink(Context context, std::vector<ControllerRoute> controllers)
    : context_(std::move(context)),
      controllers_(std::move(controllers)),
      backoff_(std::random_device{}()),
      changed_(context_.executor),
      trouble_("no controller has been reached yet") {
  context_.tasks.OnChange([this] { changed_.Notify(); });
}

Task<void> ControllerLink::Run() {
  for (std::size_t i = 0; !controllers_.empty() && !co_await Stopping();) {
    NoteEnd(co_await Dial(controllers_[i]));
    if (std::exchange(again_at_once_, false)) continue;
    i = (i + 1) % controllers_.size();
    if (!co_await SleepFor(backoff_.Next())) co_return;
  }
}

Task<grpc::Status> ControllerLink::Dial(const ControllerRoute& controller) {
  auto token = co_await Offload(
      context_.files, [file = context_.controller.token_file] { return ReadNodeToken(file); });
  if (!token) {
    co_return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, token.error().message);
  }
  co_return co_await OneStream(controller, *std::move(token));
}

// A token goes along on TLS or loopback only: there is no other way (ValidateServeConfig).
Task<grpc::Status> ControllerLink::OneStream(const ControllerRoute& controller, Secret token) {
  auto channel = controller.Dial();
  auto call = std::make_shared<grpc::ClientContext>();
  if (!token.empty()) call->AddMetadata("authorization", "Bearer " + token.Reveal());
  const auto stub = v1::AgentLink::NewStub(channel);
  const auto status = std::make_shared<grpc::Status>();
  const auto over = std::make_shared<EndSignal>(context_.executor);
  stream_ = ClientStreamReactor<v1::ControllerMessage, v1::AgentMessage>::Start(
      context_.executor, std::move(call),
      [&stub](auto* context, auto* reactor) { stub->async()->Connect(context, reactor); },
      [status, over](const grpc::Status& end) {
        *status = end;
        over->Set();
      });
  ++streams_;
  // Only now: without any channel gRPC would end its threads and start them anew at every dial.
  channel_ = std::move(channel);
  const auto talked = co_await Talk(stream_);
  connected_ = false;
  const bool ended_by_us = !stream_->ended();
  stream_->End();
  // The call must be gone before the next one begins: a node has one stream.
  while (!co_await over->Wait()) {
  }
  stream_.reset();
  assembly_.Clear();
  if (ended_by_us && !talked) {
    co_return grpc::Status(grpc::StatusCode::CANCELLED, talked.error().message);
  }
  co_return *status;
}

Task<Status> ControllerLink::Talk(SharedStream stream) {
  said_version_ = context_.tasks.version();
  stream->Send(
      HelloMessage(context_.identity, context_.state(), context_.tasks.Reports(), newest_epoch_));
  auto first = co_await WithDeadline(kWelcomeLimit, "the controller's welcome", stream->Receive());
  if (!first) co_return std::move(first).error();
  if (!first->has_welcome()) {
    co_return Fail(ErrorCode::kConflict, "the controller's first message is not a welcome");
  }
  CO_TRY_STATUS(Take(*first));
  TaskGroup reporting(context_.executor);
  reporting.Spawn("report to controller", Report(stream));
  const auto heard = co_await Listen(stream);
  reporting.Stop();
  co_await reporting.Join();
  if (co_await Stopping()) co_await SayFarewell(stream);
  co_return heard;
}

Task<Status> ControllerLink::Listen(SharedStream stream) {
  while (true) {
    // Silence is fine; a controller that is gone is noticed by the channel's pings.
    auto message = co_await stream->Receive();
    if (!message) co_return std::move(message).error();
    CO_TRY_STATUS(Take(*message));
  }
}

Task<void> ControllerLink::Report(SharedStream stream) {
  auto reported = context_.clock.Now();
  auto said_status = reported;
  while (!stream->ended()) {
    auto now = context_.clock.Now();
    const auto status_due =
        said_status + (status_changed_ ? Duration(kReportInterval) : status_interval_);
    const auto due = std::min(reported + kReportInterval, status_due);
    const bool something_new = said_version_ != context_.tasks.version();
    if (!something_new && due > now && !co_await changed_.WaitFor(due - now)) co_return;
    now = context_.clock.Now();
    const bool and_running = now >= reported + kReportInterval;
    if (and_running) reported = now;
    SendReports(*stream, and_running);
    if (now < status_due) continue;
    said_status = now;
    status_changed_ = false;
    stream->Send(StatusMessage(context_.state()));
    if (stream->queued() >= kQueueLimit && !co_await SleepFor(kReportInterval)) co_return;
  }
}

void ControllerLink::SendReports(Stream& stream, bool and_running) {
  if (stream.queued() >= kQueueLimit) return;
  for (auto& message : ReportMessages(context_.tasks.ReportsSince(said_version_, and_running))) {
    stream.Send(std::move(message));
  }
}

Task<void> ControllerLink::SayFarewell(SharedStream stream) {
  stream->Send(StatusMessage(context_.state()));
  for (auto& message : ReportMessages(context_.tasks.ReportsSince(said_version_, true))) {
    stream->Send(std::move(message));
  }
  stream->CloseWrites();
  // In a group of its own: this task has been stopped.
  TaskGroup reading(context_.executor);
  const auto ended = std::make_shared<EndSignal>(context_.executor);
  boost::asio::steady_timer limit(context_.executor, kFarewell);
  limit.async_wait([ended](const boost::system::error_code& error) {
    if (!error) ended->Set();
  });
  reading.Spawn("farewell", ReadToTheEnd(stream, ended));
  while (!co_await ended->Wait()) {
  }
  limit.cancel();
  reading.Stop();
  co_await reading.Join();
}

Status ControllerLink::CheckEpoch(const v1::ControllerMessage& message) {
  if (message.epoch() >= newest_epoch_) return {};
  return Fail(ErrorCode::kConflict, "the controller speaks in epoch " +
                                        std::to_string(message.epoch()) + ", but " +
                                        std::to_string(newest_epoch_) + " has been seen");
}

Status ControllerLink::Take(const v1::ControllerMessage& message) {
  TRY_STATUS(CheckEpoch(message));
  auto& tasks = context_.tasks;
  switch (message.body_case()) {
    case v1::ControllerMessage::kWelcome:
      newest_epoch_ = message.epoch();
      TakeWelcome(message.welcome());
      break;
    case v1::ControllerMessage::kVolume: tasks.Describe(FromWire(message.volume())); break;
    case v1::ControllerMessage::kOrder: TakeOrder(message.order()); break;
    case v1::ControllerMessage::kPlan: Finish(assembly_.Add(message.plan())); break;
    case v1::ControllerMessage::kCancel:
      assembly_.Drop(FromWire(message.cancel().task()));
      tasks.Cancel(FromWire(message.cancel().task()));
      break;
    case v1::ControllerMessage::kForget: tasks.Forget(FromWire(message.forget().task())); break;
    case v1::ControllerMessage::kLimits:
      tasks.SetLimits(FromWire(message.limits()));
      StatusChanged();
      break;
    case v1::ControllerMessage::BODY_NOT_SET: break;  // of a newer version
  }
  return {};
}

void ControllerLink::TakeWelcome(const v1::Welcome& welcome) {
  status_interval_ = IntervalOf(welcome.status_interval());
  backoff_.Reset();
  connected_ = true;
  trouble_.clear();
  context_.log.Info("controller_connected",
                    {{"epoch", newest_epoch_}, {"version", welcome.controller()}});
}

void ControllerLink::TakeOrder(const v1::TaskOrder& order) {
  if (order.plan_parts() == 0) return context_.tasks.SetRank(FromWire(order));
  Finish(assembly_.Begin(order));
}

void ControllerLink::Finish(std::optional<AssembledOrder> assembled) {
  if (!assembled) return;
  if (!assembled->plan) {
    return context_.tasks.Refuse(std::move(assembled->order), assembled->plan.error());
  }
  context_.tasks.Order(std::move(assembled->order),
                       std::make_shared<const juicefs::BlockPlan>(*std::move(assembled->plan)));
}

void ControllerLink::StatusChanged() {
  status_changed_ = true;
  changed_.Notify();
}

void ControllerLink::SetLabels(std::map<std::string, std::string> labels) {
  if (labels == context_.identity.labels) return;
  context_.identity.labels = std::move(labels);
  if (stream_ == nullptr) return;
  again_at_once_ = true;
  stream_->End();
}

void ControllerLink::NoteEnd(const grpc::Status& status) {
  if (again_at_once_) return;
  auto why = status.ok() ? "the controller has ended the stream" : status.error_message();
  if (why == trouble_) return;  // told when it began
  context_.log.Warn("controller_away", {{"why", why}});
  trouble_ = std::move(why);
}

}  // namespace prewarm::agent
