#include "controller/agents/link_service.h"

#include <grpcpp/security/auth_context.h>

#include <string_view>
#include <utility>

namespace prewarm::controller {
namespace {

bool IsLoopback(std::string_view peer) {
  return peer.starts_with("ipv4:127.") || peer.starts_with("ipv6:[::1]") ||
         peer.starts_with("ipv6:%5B::1%5D") || peer.starts_with("unix:");
}

// The names that a client certificate stands for: subject alternative names (a SPIFFE URI by its
// last component) and the common name.
AgentPeer PeerOf(const grpc::CallbackServerContext& context) {
  AgentPeer peer;
  peer.loopback = IsLoopback(context.peer());
  const auto proven = context.auth_context();
  if (!proven || !proven->IsPeerAuthenticated()) return peer;
  peer.secure = true;
  for (const char* property : {"x509_subject_alternative_name", "x509_common_name"}) {
    for (const auto& value : proven->FindPropertyValues(property)) {
      std::string name(value.data(), value.size());
      if (name.starts_with("spiffe://")) name = name.substr(name.rfind('/') + 1);
      peer.names.push_back(std::move(name));
    }
  }
  return peer;
}

}  // namespace

LinkService::LinkService(boost::asio::any_io_executor executor, AgentRegistry& registry,
                         TaskGroup& group)
    : executor_(std::move(executor)), registry_(registry), group_(group) {}

grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* LinkService::Connect(
    grpc::CallbackServerContext* context) {
  return new ServerStreamReactor<v1::AgentMessage, v1::ControllerMessage>(
      executor_, [this, peer = PeerOf(*context)](const std::shared_ptr<AgentStream>& stream) {
        if (!group_.Spawn("agent stream", registry_.Serve(stream, peer))) {
          stream->End({grpc::StatusCode::UNAVAILABLE, "the controller stops"});
        }
      });
}

}  // namespace prewarm::controller
