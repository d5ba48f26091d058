// Leadership by a coordination.k8s.io/v1 Lease. A lease that its holder does not renew is taken
// over after `patience` of our own monotonic clock, never by comparing times that others wrote.
// Every acquisition has a larger epoch (leaseTransitions) than the one before. Lives on one
// executor; one call at a time.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

class KubeLease {
 public:
  struct Options {
    ObjectKey key;       // of the Lease
    std::string holder;  // names this process, and no other one ever
    Duration patience = std::chrono::seconds(15);
    Duration request = std::chrono::seconds(5);  // deadline of each request
  };
  KubeLease(KubeApi& api, const Clock& clock, Options options);

  // The epoch, if this process leads now. Nothing: another one does; ask again, often enough to see
  // its renewals. `floor`: an epoch that is known to have been used, because the Lease itself may
  // have been deleted; the new one is larger.
  Task<Result<std::optional<std::uint64_t>>> TryAcquire(std::uint64_t floor);
  // kConflict: lost; stop acting at once. Any other error: not known; lost once `patience` has
  // passed since the last renewal began.
  Task<Status> Renew();
  // So that another one need not wait. Does nothing if it is not held.
  Task<Status> Release();

  // Who holds it, as last seen; empty: nobody.
  [[nodiscard]] const std::string& seen_holder() const { return seen_holder_; }

 private:
  struct Sighting {
    std::string resource_version;
    SteadyTime since;
  };
  struct Found {
    std::optional<boost::json::object> lease;
  };
  Task<Result<Found>> Read();
  Task<Result<boost::json::object>> Write(boost::json::object lease, bool create);
  [[nodiscard]] bool MayTake(const boost::json::object& lease);
  Task<Result<std::optional<std::uint64_t>>> Take(Found before, std::uint64_t floor);
  Task<Status> LookWhoHolds();

  KubeApi& api_;
  const Clock& clock_;
  const Options options_;
  std::optional<Sighting> sighting_;         // of another's lease
  std::optional<boost::json::object> held_;  // as last written
  std::string seen_holder_;
};

}  // namespace prewarm::controller::kube
