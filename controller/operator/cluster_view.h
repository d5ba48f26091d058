// Everything of the cluster that says which models are needed where, as it is now: one reflector
// for each resource, and the questions that planning asks of them. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/bento/model_plan.h"
#include "controller/bento/workload_mapping.h"
#include "controller/demand/cluster_index.h"
#include "controller/demand/policy.h"
#include "controller/kube/reflector.h"
#include "controller/operator/bento_choice.h"
#include "controller/operator/policy_object.h"
#include "controller/operator/touched_workloads.h"

namespace prewarm::controller {

// A Deployment as both sides of planning see it.
struct DeploymentRecord {
  demand::Deployment deployment;
  std::optional<bento::Workload> workload;  // one that speaks for itself, by annotation
  bento::Component pods;                    // the volumes of its pods and where they are mounted
};

class ClusterView final : public bento::Catalog {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    std::uint64_t seed;
  };
  // `mappings` besides apps/v1 Deployments: the kinds whose objects are workloads. `changed` is
  // called after any change; it must only make a note of that.
  ClusterView(Parts parts, std::vector<bento::WorkloadMapping> mappings,
              std::function<void()> changed);
  ~ClusterView() override;

  // Watches until it is stopped.
  Task<void> Run();
  // Every resource was listed once. Before that nothing may be concluded from what is missing.
  [[nodiscard]] bool synced() const;
  // What cannot be watched now, in words; empty if all is well.
  [[nodiscard]] std::vector<std::string> Troubles() const;
  [[nodiscard]] std::vector<const kube::ReflectorLoop*> Caches() const;
  // What changed since the last call; at first everything.
  [[nodiscard]] TouchedWorkloads::Changes TakeChanges();
  // Grows with every change of a Bento or BentoRequest, which may mean that models are complete.
  [[nodiscard]] std::uint64_t bento_version() const { return bento_version_; }

  // Pointers hold until the next suspension.
  [[nodiscard]] demand::World World() const;
  [[nodiscard]] std::vector<const bento::Workload*> Workloads() const;
  // Those that can be understood.
  [[nodiscard]] std::vector<demand::Policy> Policies() const;
  [[nodiscard]] std::vector<const PolicyObject*> PolicyObjects() const;
  // Bentos and BentoRequests, sorted, each once.
  [[nodiscard]] std::vector<BentoName> BentosOf(std::string_view name_space) const;
  // nullptr: the cluster has no such node.
  [[nodiscard]] const demand::Node* FindNode(std::string_view name) const;
  // The Deployment that runs these pods of a workload: the workload itself, or the one in its
  // namespace that carries all of `labels`. nullptr: not made yet.
  [[nodiscard]] const DeploymentRecord* DeploymentOf(const bento::ObjectRef& workload,
                                                     const bento::TextMap& labels) const;

  const bento::Bento* FindBento(std::string_view name_space, std::string_view name) const override;
  const bento::BentoRequest* FindRequest(std::string_view name_space,
                                         std::string_view name) const override;
  const bento::PersistentVolumeClaim* FindClaim(std::string_view name_space,
                                                std::string_view name) const override;
  const bento::PersistentVolume* FindVolume(std::string_view name) const override;
  const bento::StorageClass* FindStorageClass(std::string_view name) const override;

 private:
  template <class T>
  using Cache = kube::Reflector<T>;
  // `read` makes a T of an object: a Result<T>, whose error is logged, or an optional<T>.
  template <class T, class Read>
  Cache<T>& Watch(kube::Resource resource, const Read& read, std::string field_selector = "");

  [[nodiscard]] std::vector<const demand::Deployment*> Deployments() const;
  template <class T>
  void Note(const T& value, const kube::ObjectKey& key);

  Parts parts_;
  std::function<void()> changed_;
  TouchedWorkloads touched_;
  std::uint64_t bento_version_ = 0;
  TaskGroup running_;
  std::vector<std::unique_ptr<kube::ReflectorLoop>> loops_;

  Cache<bento::Bento>& bentos_;
  Cache<bento::BentoRequest>& requests_;
  Cache<bento::PersistentVolumeClaim>& claims_;
  Cache<bento::PersistentVolume>& volumes_;
  Cache<bento::StorageClass>& storage_classes_;
  Cache<DeploymentRecord>& deployments_;
  Cache<demand::ReplicaSet>& replica_sets_;
  Cache<demand::Hpa>& hpas_;
  Cache<demand::Pod>& pods_;
  Cache<demand::Node>& nodes_;
  Cache<demand::NodeClaim>& node_claims_;
  Cache<demand::ScaleUp>& scale_ups_;
  Cache<PolicyObject>& policies_;
  std::vector<Cache<bento::Workload>*> workloads_;
};

}  // namespace prewarm::controller
