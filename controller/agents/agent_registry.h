// The nodes, as they are while their agents are connected: what each is, what it holds, and the way
// to tell it something. Nothing here is durable and nothing decides; after every connect the
// agent's own word replaces what was known. Lives on the control executor.
#pragma once

#include <prewarm/v1/agent_link.pb.h>

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/grpc_stream.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/process/log.h"
#include "controller/agents/wire.h"

namespace prewarm::controller {

using AgentStream = MessageStream<v1::AgentMessage, v1::ControllerMessage>;

// Who is at the other end, as far as that was proven.
struct AgentPeer {
  bool tls = false;                // we proved who we are, and nobody else can read along
  bool proven = false;             // by a client certificate, or a token
  std::vector<std::string> names;  // that were proven; an agent may only be one of them
  bool by_token = false;
  bool loopback = false;  // without TLS nobody else is let in
};

class AgentRegistry {
 public:
  struct Options {
    Duration status_interval = std::chrono::seconds(5);
    std::string version;  // of this program
  };
  // A report about a task, and which node made it.
  struct Report {
    std::string node;
    HeldReport task;
  };

  // `changed` is called after anything came in; it must only make a note of that.
  AgentRegistry(const Clock& clock, Logger& log, Options options, std::function<void()> changed);
  ~AgentRegistry();

  // 0 while this process does not lead: streams are then refused, and those that exist are ended.
  void SetEpoch(std::uint64_t epoch);
  // Who leads instead, for the words of such refusals; empty: not known.
  void SetLeader(std::string leader) { leader_ = std::move(leader); }

  // One agent's stream, until it ends. Started by the link service.
  Task<void> Serve(std::shared_ptr<AgentStream> stream, AgentPeer peer);
  // Ends a stream that is not to be served, and logs it; `node`: what it says it is, if that is
  // known.
  void Refuse(AgentStream& stream, const std::string& node, const grpc::Status& why) const;

  // Every node seen since the start, by name; `connected` tells which are there.
  [[nodiscard]] std::vector<Node> Nodes() const;
  [[nodiscard]] const Node* Find(const std::string& name) const;
  [[nodiscard]] std::size_t connected() const { return sessions_.size(); }
  // What the connected agents hold, orders under way included.
  [[nodiscard]] std::map<std::string, std::vector<HeldTask>> Held() const;
  // What was reported since the last call, in order of arrival.
  std::vector<Report> TakeReports();

  // These do nothing if the node is not connected: its next hello starts everything anew.
  void Send(const Order& order, const VolumeDescriptor& volume, const ResolvedPlan* plan);
  void Send(const Cancel& cancel);
  void Send(const Forget& forget);
  // Sent only if it differs from what the node was told last.
  void SetLimits(const std::string& node, const NodeLimits& limits);

 private:
  struct Session;

  Task<std::optional<v1::Hello>> ReceiveHello(const std::shared_ptr<AgentStream>& stream);
  // OK, or why this agent may not serve as that node.
  grpc::Status Admit(const v1::Hello& hello, const AgentPeer& peer);
  std::shared_ptr<Session> Register(const v1::Hello& hello, std::shared_ptr<AgentStream> stream,
                                    const AgentPeer& peer);
  Task<void> Listen(std::shared_ptr<Session> session);
  void Take(Session& session, const v1::AgentMessage& message);
  void Take(Session& session, const v1::TaskReport& report);
  void Drop(const std::shared_ptr<Session>& session);
  void Post(Session& session, v1::ControllerMessage message) const;
  [[nodiscard]] Session* SessionOf(const std::string& node) const;

  const Clock& clock_;
  Logger& log_;
  const Options options_;
  std::function<void()> changed_;
  std::uint64_t epoch_ = 0;
  std::string leader_;
  std::map<std::string, std::shared_ptr<Session>> sessions_;  // by node
  std::map<std::string, Node> nodes_;
  std::vector<Report> reports_;
};

}  // namespace prewarm::controller
