// The way to one controller: TLS with files that are read again when they change, or plain on
// loopback; and the token that proves which node we are, where there is no certificate of our own.
// Every dial has a gRPC channel of its own, because a channel that is kept redials by itself,
// without the jitter that keeps a thousand agents from hammering one controller.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/agent_config.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace prewarm::agent {

class ControllerRoute {
 public:
  // kInvalidConfig: a file that cannot be read.
  static Result<std::vector<ControllerRoute>> To(const ControllerAddress& controller);

  // Not connected yet.
  [[nodiscard]] std::shared_ptr<grpc::Channel> Dial() const;

 private:
  std::string address_;
  std::string server_name_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
};

// The token of controller.token-file as it is now; empty where none is configured. Blocks on the
// file. kInvalidConfig: it cannot be read, or does not hold one line with a token.
Result<Secret> ReadNodeToken(const std::string& file);

}  // namespace prewarm::agent
