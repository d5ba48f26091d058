// Callers of the API by their tokens of the cluster: whose a token is, and what they may do, is
// asked at the API server, in the words of its RBAC for our custom resources. Where there is a file
// of tokens, too, that is asked first.
#pragma once

#include <string>

#include "common/process/log.h"
#include "controller/access/access_reviews.h"
#include "controller/access/token_reviews.h"
#include "controller/api/authenticator.h"

namespace prewarm::controller {

class ClusterAuthenticator final : public Authenticator {
 public:
  // `file` may be null. All outlive this.
  ClusterAuthenticator(const Authenticator* file, TokenReviews& tokens, AccessReviews& rights,
                       Logger log);

  [[nodiscard]] std::optional<ApiResult<Caller>> Check(const AccessRequest& request) const override;
  // A prewarm's namespace is the one that the caller names, else that of its id, else that of the
  // caller's service account. Rights to nodes and volumes are rights to all of them.
  Task<ApiResult<Caller>> Ask(AccessRequest request) override;

 private:
  Problem CannotAsk(const Error& why);
  void NoteAnswer();

  const Authenticator* file_;
  TokenReviews& tokens_;
  AccessReviews& rights_;
  const Logger log_;
  std::string trouble_;  // as it was logged; empty: none
};

}  // namespace prewarm::controller
