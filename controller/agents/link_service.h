// The agent link on gRPC: finds out who dials and hands the stream to the registry on the control
// executor.
#pragma once

#include <prewarm/v1/agent_link.grpc.pb.h>

#include <boost/asio/any_io_executor.hpp>

#include "common/async/task_group.h"
#include "controller/agents/agent_registry.h"

namespace prewarm::controller {

class LinkService final : public v1::AgentLink::CallbackService {
 public:
  // `group` lives on `executor`; streams run in it.
  LinkService(boost::asio::any_io_executor executor, AgentRegistry& registry, TaskGroup& group);

  grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  boost::asio::any_io_executor executor_;
  AgentRegistry& registry_;
  TaskGroup& group_;
};

}  // namespace prewarm::controller
