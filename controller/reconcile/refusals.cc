#include "controller/reconcile/refusals.h"

#include <chrono>
#include <utility>

namespace prewarm::controller {
namespace {

constexpr auto kMetadataRetry = std::chrono::seconds(5);
constexpr auto kJobsRetry = std::chrono::seconds(1);

}  // namespace

Problem Invalid(std::string type, std::string field, std::string detail) {
  return {ProblemKind::kInvalid, std::move(type), detail, {{std::move(field), detail}}};
}

Problem NoSuch(const std::string& kind, const std::string& name) {
  return {ProblemKind::kNotFound, "no-such-" + kind, "there is no " + kind + " " + name};
}

Problem MetadataAway(const Error& error) {
  Problem problem{ProblemKind::kUnavailable, "metadata-away",
                  "the volume's metadata cannot be read now: " + error.message};
  problem.retry_after = kMetadataRetry;
  return problem;
}

Problem JobsAway(const Error& error) {
  Problem problem{ProblemKind::kUnavailable, "jobs-away",
                  "the prewarms that have ended cannot be read now: " + error.message};
  problem.retry_after = kJobsRetry;
  return problem;
}

Problem OfMetadata(const Error& error) {
  if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument) {
    return Invalid("path", "spec.paths", error.message);
  }
  return MetadataAway(error);
}

}  // namespace prewarm::controller
