#include "controller/api/grpc_status.h"

#include <cstddef>

namespace prewarm::controller {
namespace {

// Clients refuse more than 8 KiB of metadata, and a byte may take three there.
constexpr std::size_t kMostMessage = 2000;

grpc::StatusCode CodeOf(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::kInvalid: return grpc::StatusCode::INVALID_ARGUMENT;
    case ProblemKind::kUnauthenticated: return grpc::StatusCode::UNAUTHENTICATED;
    case ProblemKind::kForbidden: return grpc::StatusCode::PERMISSION_DENIED;
    case ProblemKind::kNotFound: return grpc::StatusCode::NOT_FOUND;
    case ProblemKind::kConflict: return grpc::StatusCode::ALREADY_EXISTS;
    case ProblemKind::kTooLarge:
    case ProblemKind::kTooMany: return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ProblemKind::kUnprocessable: return grpc::StatusCode::FAILED_PRECONDITION;
    case ProblemKind::kUnavailable: return grpc::StatusCode::UNAVAILABLE;
    case ProblemKind::kInternal: break;
  }
  return grpc::StatusCode::INTERNAL;
}

// Does not cut through a character of UTF-8.
void Shorten(std::string& text) {
  if (text.size() <= kMostMessage) return;
  std::size_t end = kMostMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  text += " …";
}

}  // namespace

grpc::Status ToStatus(const Problem& problem) {
  std::string message = problem.detail;
  for (const auto& [field, detail] : problem.fields) {
    message += (message.empty() ? "" : "\n") + field + ": " + detail;
  }
  Shorten(message);
  return {CodeOf(problem.kind), message};
}

std::map<std::string, std::string> TrailersOf(const Problem& problem) {
  std::map<std::string, std::string> trailers;
  if (!problem.type.empty()) trailers.emplace(kProblemTypeKey, problem.type);
  if (problem.retry_after) {
    trailers.emplace(kRetryAfterKey, std::to_string(problem.retry_after->count()));
  }
  return trailers;
}

}  // namespace prewarm::controller
