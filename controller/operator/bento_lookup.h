// Says what there is to warm for a Bento that a caller names, by the same steps as the operator
// does for workloads, at once. Lives on the control executor.
#pragma once

#include <string>

#include "common/process/log.h"
#include "controller/bento/model_plan.h"
#include "controller/operator/cluster_view.h"
#include "controller/reconcile/bento_resolver.h"
#include "controller/reconcile/volumes.h"

namespace prewarm::controller {

class BentoLookup final : public BentoResolver {
 public:
  // `view` and `volumes` outlive it.
  BentoLookup(const ClusterView& view, const VolumeMap& volumes, bento::BuilderLayout layout);

  Task<ApiResult<ModelPaths>> Resolve(std::string name_space, std::string asked) override;

 private:
  const ClusterView& view_;
  const VolumeMap& volumes_;
  const bento::BuilderLayout layout_;
};

}  // namespace prewarm::controller
