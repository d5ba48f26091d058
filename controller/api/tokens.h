// Bearer tokens from a file, which is read again when it changes. For controllers outside
// Kubernetes, which has tokens of its own, and for callers that have none of those.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/async/guarded.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/api/authenticator.h"
#include "controller/api/token_table.h"

namespace prewarm::controller {

class Tokens final : public Authenticator {
 public:
  // Told after every change of the file: OK, or why the tokens from before stay in force.
  using OnReload = std::function<void(const Status&)>;

  // Blocks on the file: for start-up. kInvalidConfig: it cannot be read, or lines of it are wrong.
  // The clock must outlive this.
  static Result<std::unique_ptr<Tokens>> Load(std::string file, const Clock& clock);

  // There is always an answer.
  [[nodiscard]] std::optional<ApiResult<Caller>> Check(const AccessRequest& request) const override;

  // Looks at the file every `period`, on the pool, until it is stopped.
  Task<void> Follow(boost::asio::thread_pool& pool, Duration period, OnReload on_reload);

 private:
  using TablePointer = std::shared_ptr<const TokenTable>;
  struct Look {
    std::string seen;
    Result<TablePointer> table = TablePointer();  // null: as before
  };
  Tokens(std::string file, const Clock& clock, Look look);
  static Look LookAt(const std::string& file, const std::string& seen_before);

  const std::string file_;
  const Clock& clock_;
  std::string seen_;  // of the followed file; Follow's own
  mutable Guarded<TablePointer> table_;
};

}  // namespace prewarm::controller
