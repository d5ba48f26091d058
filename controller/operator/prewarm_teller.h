// Tells those who look at the cluster how prewarms go: numbers in their status, through the job
// store as everything that is written there, and Events on them and on their workloads. Lives on
// the control executor, while this process leads.
//
// A change of a state is saved by whoever made it. Numbers alone are told at most every ten seconds
// for one prewarm, and of ten prewarms a second over all.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/async/task_group.h"
#include "common/process/log.h"
#include "controller/jobs/prewarm_conditions.h"
#include "controller/kube/events.h"
#include "controller/operator/status_pacer.h"
#include "controller/reconcile/job_table.h"
#include "controller/reconcile/service.h"

namespace prewarm::controller {

class PrewarmTeller {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    kube::KubeApi& api;
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    const ControllerService& service;
    // The uid of the object that a prewarm is; empty: not known yet.
    std::function<std::string(const kube::ObjectKey&)> uid_of;
    std::string instance;  // name of this process in Events
    std::uint64_t seed = 0;
  };
  explicit PrewarmTeller(Parts parts);

  // Until it is stopped.
  Task<void> Run();
  [[nodiscard]] const kube::EventRecorder& events() const { return events_; }

 private:
  // What a status says besides the state.
  struct Numbers {
    PrewarmProgress progress;
    bool late = false;
    bool operator==(const Numbers&) const = default;
  };
  struct Told {
    PrewarmState state = PrewarmState::kPending;
    Numbers numbers;
    bool late = false;
    SteadyTime foretold{};
    bool seen = false;  // in this look
  };

  void Look();
  // True: its numbers are to be told.
  bool LookAt(Job& job);
  void TellState(const Prewarm& prewarm);
  void Foretell(Job& job, Told& told);
  void Say(const Prewarm& prewarm, bool warning, const std::string& reason,
           const std::string& note);
  Task<void> Save(std::string id);

  Parts parts_;
  kube::EventRecorder events_;
  TaskGroup running_;
  StatusPacer pacer_;
  bool first_ = true;  // what was there before this leader is not told again
  int forecasts_ = 0;  // of this look
  std::map<std::string, Told> told_;
};

}  // namespace prewarm::controller
