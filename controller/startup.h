// What the process finds out before it builds anything: its configuration, its own names, the
// cluster and the store of accepted prewarms. These calls block.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/controller_config.h"
#include "controller/jobs/job_store.h"
#include "controller/kube/kube_config.h"

namespace prewarm::controller {

// The configuration as a file says it, with every problem; no file: the defaults. `code` is that of
// the error.
Result<ControllerConfig> ReadControllerConfig(const std::string& file, ErrorCode code);

// Of the pod that this is; empty: none, or nobody told it.
std::string PodName();
// Of the pod, or of the machine.
std::string HostName();
// Unlike that of any other process, also after a restart.
std::string HolderName();

// Nothing: the controller works without a cluster. kInvalidConfig: it should, and there is none.
Result<std::optional<kube::KubeConfig>> FindCluster(const KubernetesConfig& config);
// Objects of the cluster, where there is one, else an SQLite file.
Result<std::unique_ptr<JobStore>> OpenStore(const ControllerConfig& config, const Clock& clock,
                                            const std::optional<kube::KubeConfig>& kube);

}  // namespace prewarm::controller
