#include "controller/agents/agent_registry.h"

#include <algorithm>
#include <utility>

#include "common/async/deadline.h"

namespace prewarm::controller {
namespace {

constexpr auto kHelloLimit = std::chrono::seconds(10);
// An agent that does not read is cut off: it comes back with a hello and gets only what still
// counts.
constexpr std::size_t kQueueLimit = 4096;
constexpr int kSilentIntervals = 3;

grpc::Status CheckIdentity(const std::string& node, const AgentPeer& peer) {
  constexpr auto kDenied = grpc::StatusCode::PERMISSION_DENIED;
  if (!peer.proven) {
    if (peer.loopback && !peer.tls) return grpc::Status::OK;
    return {kDenied,
            "an agent has to prove which node it is of: by a certificate, or by "
            "controller.token-file in a cluster"};
  }
  if (std::ranges::find(peer.names, node) != peer.names.end()) return grpc::Status::OK;
  if (peer.by_token)
    return {kDenied, "the token is that of node " + peer.names.front() + ", not of " + node};
  return {kDenied, "the certificate is not that of node " + node};
}

}  // namespace

// One connected agent. Ends when its stream does, or when a newer stream of the same process takes
// its place.
struct AgentRegistry::Session {
  std::string node;
  std::string instance;
  bool may_have_credentials = false;
  std::shared_ptr<AgentStream> stream;
  SteadyTime heard;
  std::map<std::string, HeldTask> held;             // by prewarm
  std::map<std::string, std::uint64_t> cancelled;   // prewarm -> generation that was called off
  std::map<std::string, VolumeDescriptor> volumes;  // told, by name
  std::optional<NodeLimits> limits;
};

AgentRegistry::AgentRegistry(const Clock& clock, Logger& log, Options options,
                             std::function<void()> changed)
    : clock_(clock), log_(log), options_(std::move(options)), changed_(std::move(changed)) {}

AgentRegistry::~AgentRegistry() = default;

void AgentRegistry::SetEpoch(std::uint64_t epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  // Whoever is connected was welcomed in another epoch: begin anew with everybody.
  for (const auto& [node, session] : sessions_) {
    session->stream->End({grpc::StatusCode::FAILED_PRECONDITION, "the leader changed"});
  }
}

Task<std::optional<v1::Hello>> AgentRegistry::ReceiveHello(
    const std::shared_ptr<AgentStream>& stream) {
  auto first = co_await WithDeadline(kHelloLimit, "hello", stream->Receive());
  if (!first || !first->has_hello()) {
    stream->End({grpc::StatusCode::INVALID_ARGUMENT, "the first message must be a hello"});
    co_return std::nullopt;
  }
  co_return std::move(*first->mutable_hello());
}

void AgentRegistry::Refuse(AgentStream& stream, const std::string& node,
                           const grpc::Status& why) const {
  log_.Warn("agent_refused", {{"node", node}, {"why", why.error_message()}});
  stream.End(why);
}

grpc::Status AgentRegistry::Admit(const v1::Hello& hello, const AgentPeer& peer) {
  if (epoch_ == 0) {
    const auto whom = leader_.empty() ? "" : ": " + leader_ + " does";
    return {grpc::StatusCode::UNAVAILABLE, "this controller does not lead" + whom};
  }
  if (hello.newest_epoch() > epoch_) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "another controller leads in a later epoch"};
  }
  if (hello.node().empty() || hello.node().size() > 253) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "a node name has 1 to 253 characters"};
  }
  if (auto stranger = CheckIdentity(hello.node(), peer); !stranger.ok()) return stranger;
  const auto* other = SessionOf(hello.node());
  if (other == nullptr || other->instance == hello.instance()) return grpc::Status::OK;
  if (clock_.Now() - other->heard > options_.status_interval * 2) return grpc::Status::OK;
  return {grpc::StatusCode::ALREADY_EXISTS, "node " + hello.node() + " is connected already"};
}

Task<void> AgentRegistry::Serve(std::shared_ptr<AgentStream> stream, AgentPeer peer) {
  const auto hello = co_await ReceiveHello(stream);
  if (!hello) co_return;
  if (const auto refused = Admit(*hello, peer); !refused.ok()) {
    co_return Refuse(*stream, hello->node(), refused);
  }
  const auto session = Register(*hello, stream, peer);
  co_await Listen(session);
  Drop(session);
}

std::shared_ptr<AgentRegistry::Session> AgentRegistry::Register(const v1::Hello& hello,
                                                                std::shared_ptr<AgentStream> stream,
                                                                const AgentPeer& peer) {
  if (auto* older = SessionOf(hello.node()); older != nullptr) {
    older->stream->End({grpc::StatusCode::ABORTED, "a newer stream took its place"});
  }
  auto session = std::make_shared<Session>();
  session->node = hello.node();
  session->instance = hello.instance();
  session->may_have_credentials = (peer.tls && peer.proven) || peer.loopback;
  session->stream = std::move(stream);
  session->heard = clock_.Now();
  sessions_[hello.node()] = session;
  nodes_[hello.node()] = FromWire(hello);
  nodes_[hello.node()].connected = true;
  nodes_[hello.node()].seen_at = clock_.WallNow();

  v1::ControllerMessage welcome;
  welcome.mutable_welcome()->set_controller(options_.version);
  const auto interval =
      std::chrono::duration_cast<std::chrono::nanoseconds>(options_.status_interval).count();
  welcome.mutable_welcome()->mutable_status_interval()->set_seconds(interval / 1'000'000'000);
  welcome.mutable_welcome()->mutable_status_interval()->set_nanos(
      static_cast<std::int32_t>(interval % 1'000'000'000));
  Post(*session, std::move(welcome));
  for (const auto& report : hello.tasks()) Take(*session, report);
  log_.Info("agent_connected",
            {{"node", session->node}, {"version", hello.version()}, {"tasks", hello.tasks_size()}});
  changed_();
  return session;
}

Task<void> AgentRegistry::Listen(std::shared_ptr<Session> session) {
  const auto silence = options_.status_interval * kSilentIntervals;
  while (!co_await Stopping()) {
    auto message =
        co_await WithDeadline(silence, "the agent's next status", session->stream->Receive());
    if (!message) {
      session->stream->End({grpc::StatusCode::DEADLINE_EXCEEDED, message.error().message});
      co_return;
    }
    session->heard = clock_.Now();
    Take(*session, *message);
    // A status alone changes nothing that has to be done at once.
    if (message->has_reports()) changed_();
  }
  session->stream->End({grpc::StatusCode::UNAVAILABLE, "the controller stops"});
}

void AgentRegistry::Take(Session& session, const v1::AgentMessage& message) {
  auto& node = nodes_[session.node];
  node.seen_at = clock_.WallNow();
  if (message.has_status()) Update(node, message.status());
  for (const auto& report : message.reports().tasks()) Take(session, report);
}

void AgentRegistry::Take(Session& session, const v1::TaskReport& report) {
  auto task = FromWire(report);
  const auto known = session.held.find(task.held.prewarm);
  if (known != session.held.end()) {
    if (known->second.generation > task.held.generation) return;  // replaced meanwhile
    if (known->second.generation == task.held.generation) task.held.rank = known->second.rank;
  }
  session.held[task.held.prewarm] = task.held;
  reports_.push_back({session.node, std::move(task)});
}

void AgentRegistry::Drop(const std::shared_ptr<Session>& session) {
  const auto current = sessions_.find(session->node);
  if (current == sessions_.end() || current->second != session) return;
  sessions_.erase(current);
  auto& node = nodes_[session->node];
  node.connected = false;
  node.bytes_per_second = 0;
  log_.Info("agent_gone", {{"node", session->node}});
  changed_();
}

AgentRegistry::Session* AgentRegistry::SessionOf(const std::string& node) const {
  const auto at = sessions_.find(node);
  return at == sessions_.end() ? nullptr : at->second.get();
}

std::vector<Node> AgentRegistry::Nodes() const {
  std::vector<Node> nodes;
  nodes.reserve(nodes_.size());
  for (const auto& [name, node] : nodes_) nodes.push_back(node);
  return nodes;
}

const Node* AgentRegistry::Find(const std::string& name) const {
  const auto at = nodes_.find(name);
  return at == nodes_.end() ? nullptr : &at->second;
}

std::map<std::string, std::vector<HeldTask>> AgentRegistry::Held() const {
  std::map<std::string, std::vector<HeldTask>> held;
  for (const auto& [node, session] : sessions_) {
    auto& tasks = held[node];
    for (const auto& [prewarm, task] : session->held) tasks.push_back(task);
  }
  return held;
}

std::vector<AgentRegistry::Report> AgentRegistry::TakeReports() {
  return std::exchange(reports_, {});
}

void AgentRegistry::Post(Session& session, v1::ControllerMessage message) const {
  if (session.stream->queued() >= kQueueLimit) {
    session.stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "the agent does not read"});
    return;
  }
  message.set_epoch(epoch_);
  session.stream->Send(std::move(message));
}

void AgentRegistry::Send(const Order& order, const VolumeDescriptor& volume,
                         const ResolvedPlan* plan) {
  auto* session = SessionOf(order.node);
  if (session == nullptr) return;
  if (const auto told = session->volumes.find(volume.name);
      told == session->volumes.end() || told->second != volume) {
    if (volume.holds_credentials && !session->may_have_credentials) {
      log_.Error(
          "credentials_withheld",
          {{"node", order.node}, {"volume", volume.name}, {"why", "its node is not proven"}});
      return;
    }
    session->volumes[volume.name] = volume;
    v1::ControllerMessage message;
    *message.mutable_volume() = ToWire(volume);
    Post(*session, std::move(message));
  }
  for (auto& message : ToWire(order, volume.name, order.with_plan ? plan : nullptr)) {
    Post(*session, std::move(message));
  }
  auto& held = session->held[order.prewarm];
  if (order.with_plan) held = {order.prewarm, order.generation, TaskState::kQueued, order.rank};
  held.rank = order.rank;
}

void AgentRegistry::Send(const Cancel& cancel) {
  auto* session = SessionOf(cancel.node);
  if (session == nullptr) return;
  auto& called_off = session->cancelled[cancel.prewarm];
  if (called_off == cancel.generation) return;  // said already; its report is on the way
  called_off = cancel.generation;
  Post(*session, ToWire(cancel));
}

void AgentRegistry::Send(const Forget& forget) {
  auto* session = SessionOf(forget.node);
  if (session == nullptr) return;
  session->held.erase(forget.prewarm);
  session->cancelled.erase(forget.prewarm);
  Post(*session, ToWire(forget));
}

void AgentRegistry::SetLimits(const std::string& node, const NodeLimits& limits) {
  auto* session = SessionOf(node);
  if (session == nullptr || session->limits == limits) return;
  session->limits = limits;
  Post(*session, ToWire(limits));
}

}  // namespace prewarm::controller
