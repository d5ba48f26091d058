#include "controller/operator/touched_workloads.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller {
namespace {

// As ClusterView::DeploymentOf finds it, and by its owner.
bool Runs(const demand::Deployment& deployment, const bento::Workload& workload) {
  const auto& ref = workload.ref;
  if (deployment.uid == ref.uid || deployment.owner.uid == ref.uid) return true;
  if (deployment.name_space != ref.name_space) return false;
  return std::ranges::any_of(workload.components, [&](const auto& component) {
    return !component.pod_labels.empty() &&
           std::ranges::all_of(component.pod_labels, [&](const auto& label) {
             return deployment.labels.Has(label.first, label.second);
           });
  });
}

}  // namespace

void TouchedWorkloads::Touch(const demand::Deployment& deployment) {
  deployments_.insert({deployment.name_space, deployment.name});
}

void TouchedWorkloads::Touch(const demand::Hpa& hpa) {
  if (hpa.target_kind == "Deployment") deployments_.insert({hpa.name_space, hpa.target_name});
}

void TouchedWorkloads::Touch(const demand::Pod& pod) {
  if (!pod.owner_uid.empty()) owners_.insert(pod.owner_uid);
  others_ = true;
}

bool TouchedWorkloads::IsTouched(const bento::Workload& workload,
                                 const std::vector<const demand::Deployment*>& deployments) const {
  const auto& ref = workload.ref;
  return owners_.contains(ref.uid) || bentos_.contains({ref.name_space, workload.bento}) ||
         std::ranges::any_of(deployments,
                             [&](const auto* deployment) { return Runs(*deployment, workload); });
}

TouchedWorkloads::Changes TouchedWorkloads::Take(const OwnerLookup& lookup) {
  Changes changes{.others = std::exchange(others_, false), .workloads = {}};
  if (owners_.empty() && deployments_.empty() && bentos_.empty()) return changes;
  for (const auto* set : lookup.replica_sets) {
    if (owners_.contains(set->uid)) owners_.insert(set->owner_uid);
  }
  std::vector<const demand::Deployment*> touched;
  for (const auto* deployment : lookup.deployments) {
    if (owners_.contains(deployment->uid) ||
        deployments_.contains({deployment->name_space, deployment->name})) {
      touched.push_back(deployment);
    }
  }
  for (const auto* workload : lookup.workloads) {
    if (IsTouched(*workload, touched)) changes.workloads.insert(workload->ref.uid);
  }
  owners_.clear();
  deployments_.clear();
  bentos_.clear();
  return changes;
}

}  // namespace prewarm::controller
