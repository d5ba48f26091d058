// What there is to warm for a Bento that a caller names. Asked by the service, answered where there
// is a cluster (controller/operator).
#pragma once

#include <string>
#include <vector>

#include "common/async/task.h"
#include "controller/api/problem.h"

namespace prewarm::controller {

struct ModelPaths {
  std::string volume;
  std::vector<std::string> paths;  // sorted, never empty: not by accident the whole volume
};

class BentoResolver {
 public:
  virtual ~BentoResolver() = default;
  // `asked`: the name of a Bento or BentoRequest of the namespace, or its tag. Every refusal names
  // the field "bento"; kUnavailable: not now.
  virtual Task<ApiResult<ModelPaths>> Resolve(std::string name_space, std::string asked) = 0;
};

}  // namespace prewarm::controller
