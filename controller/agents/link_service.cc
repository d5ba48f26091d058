#include "controller/agents/link_service.h"

#include <grpcpp/security/auth_context.h>

#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

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
  const auto proven = context.auth_context();
  const auto transport = proven ? proven->FindPropertyValues("transport_security_type")
                                : std::vector<grpc::string_ref>();
  peer.tls = !transport.empty() && transport.front() != "insecure";
  peer.loopback = IsLoopback(context.peer());
  if (!proven || !proven->IsPeerAuthenticated()) return peer;
  peer.proven = true;
  for (const char* property : {"x509_subject_alternative_name", "x509_common_name"}) {
    for (const auto& value : proven->FindPropertyValues(property)) {
      std::string name(value.data(), value.size());
      if (name.starts_with("spiffe://")) name = name.substr(name.rfind('/') + 1);
      peer.names.push_back(std::move(name));
    }
  }
  return peer;
}

// Empty: none, or more than one.
Secret TokenOf(const grpc::CallbackServerContext& context) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto [first, last] = context.client_metadata().equal_range("authorization");
  if (first == last || std::next(first) != last) return {};
  const std::string_view header(first->second.data(), first->second.size());
  return header.starts_with(kScheme) ? Secret(std::string(header.substr(kScheme.size())))
                                     : Secret();
}

grpc::Status RefusalOf(const Error& error) {
  const auto code = error.code == ErrorCode::kPermission ? grpc::StatusCode::UNAUTHENTICATED
                                                         : grpc::StatusCode::UNAVAILABLE;
  return {code, error.message};
}

}  // namespace

LinkService::LinkService(boost::asio::any_io_executor executor, AgentRegistry& registry,
                         TaskGroup& group, AgentProof* proof)
    : executor_(std::move(executor)), registry_(registry), group_(group), proof_(proof) {}

grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* LinkService::Connect(
    grpc::CallbackServerContext* context) {
  return new ServerStreamReactor<v1::AgentMessage, v1::ControllerMessage>(
      executor_, [this, peer = PeerOf(*context),
                  token = TokenOf(*context)](const std::shared_ptr<AgentStream>& stream) {
        if (!group_.Spawn("agent stream", Serve(stream, peer, token))) {
          stream->End({grpc::StatusCode::UNAVAILABLE, "the controller stops"});
        }
      });
}

// A token says more than a certificate, which all agents of a DaemonSet share.
Task<void> LinkService::Serve(std::shared_ptr<AgentStream> stream, AgentPeer peer, Secret token) {
  if (proof_ != nullptr && !token.empty()) {
    auto node = co_await proof_->NodeOf(std::move(token));
    if (!node) co_return registry_.Refuse(*stream, "", RefusalOf(node.error()));
    peer.names = {*std::move(node)};
    peer.proven = true;
    peer.by_token = true;
  }
  co_await registry_.Serve(std::move(stream), std::move(peer));
}

}  // namespace prewarm::controller
