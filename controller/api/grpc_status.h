// A Problem as gRPC says it: the code, one line per wrong field, and what else a program may want
// in the trailing metadata.
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <string>

#include "controller/api/problem.h"

namespace prewarm::controller {

// Names of trailing metadata.
inline constexpr auto kRetryAfterKey = "retry-after";    // seconds
inline constexpr auto kProblemTypeKey = "problem-type";  // Problem::type

// "<detail>\n<field>: <detail>…", shortened to what fits into the metadata of any client.
grpc::Status ToStatus(const Problem& problem);
std::map<std::string, std::string> TrailersOf(const Problem& problem);

}  // namespace prewarm::controller
