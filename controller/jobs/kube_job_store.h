// The job store of a cluster: each prewarm is a custom resource, leadership is a Lease.
//
// Writes are fenced three times. A leader that has not renewed its lease lately proves first that
// it still holds it. Every status carries the epoch of who wrote it, and the API server itself
// refuses a smaller one than stands there (a rule of the definition); a new leader writes its epoch
// into everything unfinished before it does anything else. And each write names the version of the
// object that it was computed from.
//
// What the API server cannot do is one transaction over several objects: after an error some
// prewarms of a Save may be written and others not. Each for itself is whole, and saving the same
// again is safe.
#pragma once

#include <memory>

#include "common/base/clock.h"
#include "controller/jobs/job_store.h"
#include "controller/kube/kube_config.h"
#include "controller/kube/resource.h"

namespace prewarm::controller {

struct KubeJobStoreOptions {
  kube::ObjectKey lease{"prewarm-system", "prewarm-controller"};
  Duration patience = std::chrono::seconds(6);
};

// Makes no request yet. kInvalidConfig as of KubeClient::Make. `clock` outlives the store.
Result<std::unique_ptr<JobStore>> OpenKubeJobStore(kube::KubeConfig config, const Clock& clock,
                                                   KubeJobStoreOptions options);

}  // namespace prewarm::controller
