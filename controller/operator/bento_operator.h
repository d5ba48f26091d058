// Turns workloads of the cluster into prewarms: looks at everything, computes what should be, and
// changes what is not so. Level-based, like the Reconciler, which then does the warming. Lives on
// the control executor, while this process leads.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/async/signal.h"
#include "controller/agents/agent_registry.h"
#include "controller/kube/events.h"
#include "controller/operator/cluster_view.h"
#include "controller/operator/look_pacer.h"
#include "controller/operator/model_survey.h"
#include "controller/operator/operator_metrics.h"
#include "controller/operator/workload_plan.h"
#include "controller/reconcile/reconciler.h"

namespace prewarm::controller {

class BentoOperator {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    AgentRegistry& agents;
    VolumeMap& volumes;
    Reconciler& reconciler;
    OperatorMetrics& metrics;
    bento::BuilderLayout layout;
    std::vector<bento::WorkloadMapping> workload_kinds;
    std::string instance;  // name of this process in Events
    std::uint64_t seed = 0;
  };
  explicit BentoOperator(Parts parts);
  ~BentoOperator();

  // Until it is stopped.
  Task<void> Run();
  void Wake();
  [[nodiscard]] const ClusterView& view() const { return view_; }
  [[nodiscard]] const kube::EventRecorder& events() const { return events_; }
  // What there is to say of the workload with this uid, but that its models were found; nothing: it
  // was not looked at yet.
  [[nodiscard]] std::optional<std::vector<WorkloadNote>> NotesOf(const std::string& uid) const;

 private:
  // What was last said of a workload, so that it is said once.
  struct Note {
    std::string words;
    bool warning = true;
    bool unresolved = false;  // a model that cannot be found
  };
  struct Said {
    std::string workload;               // "BentoDeployment chat"
    std::map<std::string, Note> notes;  // by reason
  };
  struct Pass;

  // What is looked at: the workloads with these uids; nothing: all of them.
  using Scope = std::optional<std::set<std::string>>;

  // What is due now; nothing if nothing is.
  std::optional<Scope> NextScope(SteadyTime now);
  Task<void> Round(const Scope& scope);
  void PlanOne(const bento::Workload& found, Pass& pass);
  // What its Deployments say of the volumes of its pods, which only they know.
  [[nodiscard]] bento::Workload WithPodVolumes(bento::Workload workload) const;
  void Measure(const bento::ObjectRef& workload, const WorkloadLook& look);
  void Say(const bento::Workload& workload, const bento::ModelPlan& models,
           const WorkloadOutput& output);
  [[nodiscard]] std::map<std::string, std::vector<Prewarm>> Existing(const Scope& scope) const;
  Task<void> Apply(PrewarmChanges changes);
  Task<void> Create(DesiredPrewarm desired);
  Task<void> Change(Prewarm next);
  Task<void> Drop(Prewarm prewarm);
  void SaySaveFailed(const std::string& id, const Error& error);

  Parts parts_;
  Signal work_;
  bool others_ = true;  // something changed that may be about any workload
  LookPacer pacer_;
  ClusterView view_;
  ModelSurvey survey_;
  kube::EventRecorder events_;
  TaskGroup running_;
  std::uint64_t bento_version_ = 0;
  std::map<std::string, WorkloadMemory> memory_;  // by uid of the workload
  std::map<std::string, Said> said_;
};

}  // namespace prewarm::controller
