// Which workloads the changes of a cluster are about, so that these can be looked at while the
// others wait for their turn: an autoscaler's wish is then answered as fast in a cluster of
// thousands of pods as in a small one. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "controller/bento/objects.h"
#include "controller/bento/workload.h"
#include "controller/demand/objects.h"
#include "controller/kube/resource.h"

namespace prewarm::controller {

// Where the owners of what was touched are looked up.
struct OwnerLookup {
  std::vector<const demand::Deployment*> deployments;
  std::vector<const demand::ReplicaSet*> replica_sets;
  std::vector<const bento::Workload*> workloads;
};

class TouchedWorkloads {
 public:
  struct Changes {
    bool others = true;               // some may be about other workloads as well
    std::set<std::string> workloads;  // uids of those whose own objects changed
  };

  void Touch(const bento::Workload& workload) { owners_.insert(workload.ref.uid); }
  void Touch(const demand::Deployment& deployment);
  void Touch(const demand::ReplicaSet& set) { owners_.insert(set.owner_uid); }
  void Touch(const demand::Hpa& hpa);
  // What it holds of its node is missing to others.
  void Touch(const demand::Pod& pod);
  // Bento or BentoRequest.
  void TouchBento(const kube::ObjectKey& key) { bentos_.insert(key); }
  // What is gone, and whatever may matter to everyone.
  void TouchOthers() { others_ = true; }

  // Since the last call.
  Changes Take(const OwnerLookup& lookup);

 private:
  [[nodiscard]] bool IsTouched(const bento::Workload& workload,
                               const std::vector<const demand::Deployment*>& deployments) const;

  bool others_ = true;
  std::set<std::string> owners_;  // uids of workloads, Deployments, ReplicaSets
  std::set<kube::ObjectKey> deployments_;
  std::set<kube::ObjectKey> bentos_;
};

}  // namespace prewarm::controller
