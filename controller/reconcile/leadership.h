// Holds the lease of the job store, or waits for it. At most one process acts at a time; a larger
// epoch than any before comes with each lead. Lives on the control executor.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/process/log.h"
#include "controller/jobs/job_store.h"

namespace prewarm::controller {

class Leadership {
 public:
  // `lease` is how long a silent leader keeps its place; `holder` names this process:
  // "<host>/<what tells processes apart>". `looked` is called after each look at the lease.
  Leadership(JobStore& store, boost::asio::thread_pool& store_pool, Logger& log, Duration lease,
             std::string holder, std::function<void()> looked = nullptr);

  // While this process waits for the lead.
  struct Standing {
    std::string leader;  // another one's host, or pod; empty: not known
    std::string trouble = "the lease has not been looked at yet";  // empty: the lease is watched
  };
  // Waits until this process leads; 0 if it was stopped before.
  Task<std::uint64_t> Acquire();
  [[nodiscard]] const Standing& standing() const { return standing_; }
  // Since when this process has not proven again that it leads; nothing: it does not lead.
  [[nodiscard]] std::optional<SteadyTime> renewed_at() const { return renewed_at_; }
  // Renews until the task is stopped, or until the lead is lost: then the answer is why. A store
  // that cannot be written for the length of a lease counts as lost.
  Task<Status> Keep(const Clock& clock);
  // So that a standby need not wait. Blocks for one small transaction.
  Task<void> GiveUp();

 private:
  JobStore& store_;
  boost::asio::thread_pool& store_pool_;
  Logger& log_;
  const Duration lease_;
  const std::string holder_;
  const std::function<void()> looked_;
  Standing standing_;
  std::optional<SteadyTime> renewed_at_;
};

}  // namespace prewarm::controller
