// The agent link on gRPC: finds out who dials, by certificate or token, and hands the stream to the
// registry on the control executor.
#pragma once

#include <prewarm/v1/agent_link.grpc.pb.h>

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "common/async/task_group.h"
#include "common/base/secret.h"
#include "controller/agents/agent_proof.h"
#include "controller/agents/agent_registry.h"

namespace prewarm::controller {

class LinkService final : public v1::AgentLink::CallbackService {
 public:
  // `group` lives on `executor`; streams run in it. `proof` may be null: then only certificates
  // count.
  LinkService(boost::asio::any_io_executor executor, AgentRegistry& registry, TaskGroup& group,
              AgentProof* proof = nullptr);

  grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  Task<void> Serve(std::shared_ptr<AgentStream> stream, AgentPeer peer, Secret token);

  boost::asio::any_io_executor executor_;
  AgentRegistry& registry_;
  TaskGroup& group_;
  AgentProof* const proof_;
};

}  // namespace prewarm::controller
