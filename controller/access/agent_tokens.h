// Agents by the tokens that the kubelet projects into their pods: the API server says of which pod
// such a token is, and so of which node. Whoever takes over one node can be that node alone.
#pragma once

#include <string>

#include "controller/access/token_reviews.h"
#include "controller/agents/agent_proof.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/resource.h"

namespace prewarm::controller {

class AgentTokens final : public AgentProof {
 public:
  // `account`: the service account of the agents' pods. `tokens` asks for kAudience alone. All
  // outlive this.
  AgentTokens(kube::KubeApi& api, TokenReviews& tokens, kube::ObjectKey account);

  Task<Result<std::string>> NodeOf(Secret token) override;

 private:
  // Of servers that name the pod of a token, but not its node (before 1.30).
  Task<Result<std::string>> NodeOfPod(std::string name, std::string uid);

  kube::KubeApi& api_;
  TokenReviews& tokens_;
  const kube::ObjectKey account_;
};

}  // namespace prewarm::controller
