// Who a bearer token is, as the API server says it (TokenReview). Lives on one executor.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "common/base/secret.h"
#include "controller/access/reviews.h"
#include "controller/kube/kube_api.h"

namespace prewarm::controller {

// In tokens that are meant for us and of no use at the API server.
inline constexpr auto kAudience = "prewarm.dev";

struct ReviewedUser {
  std::string name;  // "system:serviceaccount:<namespace>:<name>" of a service account
  std::string uid;
  std::vector<std::string> groups;
  boost::json::object extra;  // lists of texts; of a pod's token also which pod and node
  ReviewKey token{};          // whose it is
};
using UserPointer = std::shared_ptr<const ReviewedUser>;

class TokenReviews {
 public:
  struct Options {
    // Asked for in this order; an empty one is the API server's own.
    std::vector<std::string> audiences;
    ReviewLimits limits{};
    Duration request = std::chrono::seconds(4);
  };
  // The API and the clock outlive this.
  TokenReviews(const boost::asio::any_io_executor& executor, kube::KubeApi& api, const Clock& clock,
               Options options);

  // Null: the token is unknown, has expired, was taken back, or is for somebody else. An error: the
  // API server could not be asked.
  Task<Result<UserPointer>> Who(Secret token);

  void Stop() { reviews_.Stop(); }
  Task<void> Join() { return reviews_.Join(); }
  [[nodiscard]] const Reviews<UserPointer>::Counts& counts() const { return reviews_.counts(); }

 private:
  Task<Result<UserPointer>> AskAll(Secret token, ReviewKey key);
  Task<Result<UserPointer>> AskFor(Secret token, std::string audience);

  kube::KubeApi& api_;
  const Options options_;
  Reviews<UserPointer> reviews_;
};

ReviewKey DigestOf(std::string_view text);

}  // namespace prewarm::controller
