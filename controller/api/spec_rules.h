// What a request may say, whichever way it came: REST and gRPC refuse the same things in the same
// words. Everything that is wrong is found at once. What only the service can know (does the volume
// exist, has the deadline passed) is not checked here. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/api/prewarm_service.h"
#include "controller/api/problem.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

inline constexpr std::size_t kMaxPaths = 1000;
inline constexpr std::size_t kMaxPathBytes = 4096;
inline constexpr std::size_t kMaxNameBytes = 253;  // of volumes, nodes and models
inline constexpr std::size_t kMaxNodeNames = 1000;
inline constexpr std::size_t kMaxLabels = 64;
inline constexpr std::size_t kMaxLabelNameBytes = 317;  // prefix/name, as Kubernetes has it
inline constexpr std::size_t kMaxLabelValueBytes = 253;
inline constexpr std::size_t kMaxIdempotencyKeyBytes = 128;
inline constexpr std::string_view kBentoModelPrefix = "bento/";  // of models that a Bento names
inline constexpr std::size_t kMaxBentoBytes = kMaxNameBytes - kBentoModelPrefix.size();
// Problems told of one request; a list of 1,000 wrong paths helps nobody.
inline constexpr std::size_t kMaxFieldProblems = 20;

struct PageLimits {
  std::uint32_t usual;
  std::uint32_t most;
};
inline constexpr PageLimits kListPages{50, 500};
inline constexpr PageLimits kFilePages{100, 1000};

// Collects what is wrong with the fields of one request.
class FieldProblems {
 public:
  void Add(std::string field, std::string detail);
  [[nodiscard]] bool empty() const { return list_.empty(); }
  // kInvalid with all of them; call it if there are any.
  [[nodiscard]] Problem ToProblem() &&;

 private:
  std::vector<FieldProblem> list_;
  std::size_t left_out_ = 0;
};

// `prefix` stands before the names of the fields: "spec." gives "spec.paths[2]".
void CheckSpec(const PrewarmSpec& spec, std::string_view prefix, FieldProblems& problems);
// The whole of a request as callers make it; with a Bento, what that says must not be there.
void CheckRequest(const CreateRequest& request, FieldProblems& problems);
// A path of a volume, alone; the empty path, where it is allowed, is the caller's business.
void CheckPath(std::string_view path, const std::string& field, FieldProblems& problems);
// A name that must be there: a volume, a node, the id of a prewarm.
void CheckName(std::string_view name, const std::string& field, FieldProblems& problems);
void CheckIdempotencyKey(std::string_view key, const std::string& field, FieldProblems& problems);
// 0 becomes the usual size.
std::uint32_t CheckPageSize(std::uint64_t size, PageLimits limits, const std::string& field,
                            FieldProblems& problems);

}  // namespace prewarm::controller
