// Prewarms that users make as objects of the cluster: accepted like those that come over the API,
// or refused in their status, made more or less urgent when they are edited, and cancelled when
// they are deleted. What an earlier leader made for a workload and did not come to accept is
// deleted, so that it is made anew. Lives on the control executor, while this process leads.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <set>
#include <string>

#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/api/prewarm_service.h"
#include "controller/jobs/prewarm_object.h"
#include "controller/kube/reflector.h"
#include "controller/reconcile/reconciler.h"

namespace prewarm::controller {

class PrewarmIntake {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    PrewarmService& service;
    Reconciler& reconciler;
    std::uint64_t seed = 0;
  };
  explicit PrewarmIntake(Parts parts);

  // Until it is stopped.
  Task<void> Run();
  // nullptr: it is not known. Holds until the next suspension.
  [[nodiscard]] const PrewarmObject* Find(const kube::ObjectKey& key) const {
    return objects_.Find(key);
  }
  [[nodiscard]] const kube::ReflectorLoop& cache() const { return objects_; }

 private:
  void Changed(const kube::ObjectKey& key);
  void LookAtAll();
  void Take(const PrewarmObject& object);
  void TakeEdit(const PrewarmObject& object, const Job& job);
  Task<void> Change(Prewarm next);
  Task<void> CleanUp(PrewarmObject object);
  // Lasting as it is, but soon it may be otherwise.
  [[nodiscard]] bool MayPass(const PrewarmObject& object, const Problem& problem) const;
  Task<void> Accept(PrewarmObject object);
  Task<void> Refuse(PrewarmObject object, Problem problem);
  Task<void> Cancel(std::string id, std::string name_space);

  Parts parts_;
  kube::Reflector<PrewarmObject> objects_;
  Signal work_;
  TaskGroup running_;
  std::set<std::string> taking_;   // ids that something is being done about
  std::set<std::string> loaded_;   // ids that were there before the first list
  std::set<std::string> deleted_;  // to be cancelled
};

}  // namespace prewarm::controller
