// Why the API refuses a request, as a value: what both REST (RFC 9457) and gRPC are made from.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace prewarm::controller {

enum class ProblemKind : std::uint8_t {
  kInvalid,          // 400 INVALID_ARGUMENT: malformed, or a field is wrong
  kUnauthenticated,  // 401
  kForbidden,        // 403
  kNotFound,         // 404; also what the caller may not know of
  kConflict,         // 409 ALREADY_EXISTS: idempotency key used for something else
  kTooLarge,         // 413 RESOURCE_EXHAUSTED
  kUnprocessable,    // 422 FAILED_PRECONDITION: right in itself, but cannot be done (fits no node,
                     // late)
  kTooMany,          // 429 RESOURCE_EXHAUSTED
  kInternal,         // 500
  kUnavailable,      // 503 UNAVAILABLE: not leading, metadata away
};

struct FieldProblem {
  std::string field;   // as in the request: "spec.paths[2]"
  std::string detail;  // what is wrong and what would be right
  bool operator==(const FieldProblem&) const = default;
};

struct [[nodiscard]] Problem {
  ProblemKind kind = ProblemKind::kInternal;
  std::string
      type;  // a stable word: "unknown-volume"; REST makes "urn:prewarm:problem:<type>" of it
  std::string detail;  // one or two sentences with the remedy
  std::vector<FieldProblem> fields{};
  std::optional<std::chrono::seconds> retry_after{};
};

template <class T>
using ApiResult = tl::expected<T, Problem>;

inline tl::unexpected<Problem> Refuse(Problem problem) {
  return tl::unexpected<Problem>(std::move(problem));
}

}  // namespace prewarm::controller
