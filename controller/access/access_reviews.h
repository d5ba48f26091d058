// What a user may do, as the cluster's RBAC has it (SubjectAccessReview). Lives on one executor.
#pragma once

#include <string>

#include "controller/access/reviews.h"
#include "controller/access/token_reviews.h"
#include "controller/api/authenticator.h"
#include "controller/kube/kube_api.h"

namespace prewarm::controller {

// May somebody do this, there, to that one?
struct AccessQuestion {
  Right right{};
  std::string name_space{};  // of prewarms
  std::string name{};        // empty: to any
};

class AccessReviews {
 public:
  struct Options {
    ReviewLimits limits{};
    Duration request = std::chrono::seconds(4);
  };
  // The API and the clock outlive this.
  AccessReviews(const boost::asio::any_io_executor& executor, kube::KubeApi& api,
                const Clock& clock, const Options& options);

  // An error: the API server could not be asked.
  Task<Result<bool>> May(UserPointer user, AccessQuestion question);

  void Stop() { reviews_.Stop(); }
  Task<void> Join() { return reviews_.Join(); }
  [[nodiscard]] const Reviews<bool>::Counts& counts() const { return reviews_.counts(); }

 private:
  Task<Result<bool>> Ask(UserPointer user, AccessQuestion question);

  kube::KubeApi& api_;
  const Duration request_;
  Reviews<bool> reviews_;
};

// "create prewarms.prewarm.dev in namespace team-a", "get /metrics": for people.
std::string InWords(const AccessQuestion& question);

}  // namespace prewarm::controller
