// Which node an agent is of, by a token that it shows instead of a certificate of its own.
#pragma once

#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace prewarm::controller {

class AgentProof {
 public:
  virtual ~AgentProof() = default;
  // On the control executor, within seconds. kPermission: it proves nothing, in words for the
  // agent's log; any other error: it could not be found out now.
  virtual Task<Result<std::string>> NodeOf(Secret token) = 0;
};

}  // namespace prewarm::controller
