// The gRPC port: agents and callers, with or without TLS, health and reflection services included.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "controller/controller_config.h"

namespace prewarm::controller {

struct GrpcPort {
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

// Serves at once. Certificate files are read again when they change. kInvalidConfig names the file
// or address that cannot be used.
Result<GrpcPort> OpenGrpcPort(const ControllerConfig& config,
                              const std::vector<grpc::Service*>& services);

}  // namespace prewarm::controller
