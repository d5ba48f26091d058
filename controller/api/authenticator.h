// Who is calling, and may they. Every route and every gRPC method names the verb that it needs;
// nothing is answered before a Caller was found.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "controller/api/prewarm_service.h"
#include "controller/api/problem.h"

namespace prewarm::controller {

enum class Verb : std::uint8_t {
  kGet,     // read prewarms of the caller's namespace, nodes, volumes
  kCreate,  // also dry runs
  kCancel,
  kMetrics,  // /metrics and /config
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // `authorization` is the header of that name, absent if there was none. kUnauthenticated: none,
  // not "Bearer …", unknown or expired. kForbidden: known, but the verb is not theirs. Thread-safe.
  [[nodiscard]] virtual ApiResult<Caller> Check(std::optional<std::string_view> authorization,
                                                Verb verb) const = 0;
};

}  // namespace prewarm::controller
