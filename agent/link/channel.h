// The gRPC channel to one controller: mutual TLS with files that are read again when they change,
// or plain on loopback.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "agent/agent_config.h"
#include "common/base/result.h"

namespace prewarm::agent {

// kInvalidConfig: a file that cannot be read.
Result<std::shared_ptr<grpc::Channel>> OpenChannel(const ControllerAddress& controller,
                                                   const std::string& address);

}  // namespace prewarm::agent
