// Who is calling, and may they. Every route and every gRPC method names the right that it needs;
// nothing is answered before a Caller was found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "controller/api/prewarm_service.h"
#include "controller/api/problem.h"

namespace prewarm::controller {

// What a call does, in the words of Kubernetes' RBAC.
enum class Action : std::uint8_t { kGet, kList, kWatch, kCreate, kDelete };
// And to what.
enum class Subject : std::uint8_t { kPrewarms, kNodes, kVolumes, kMetrics, kConfig };

struct Right {
  Action action;
  Subject subject;
  bool operator==(const Right&) const = default;
};

// Coarser: what a line of the file of tokens grants.
enum class Verb : std::uint8_t {
  kGet,     // read prewarms of the caller's namespace, nodes, volumes
  kCreate,  // also dry runs
  kCancel,
  kMetrics,  // /metrics and /config
};

constexpr Verb VerbOf(const Right& right) {
  if (right.subject == Subject::kMetrics || right.subject == Subject::kConfig) {
    return Verb::kMetrics;
  }
  if (right.action == Action::kCreate) return Verb::kCreate;
  return right.action == Action::kDelete ? Verb::kCancel : Verb::kGet;
}

// By these a caller says which namespace a call is about: a header of HTTP, metadata of gRPC.
inline constexpr std::string_view kNamespaceHeader = "Prewarm-Namespace";
inline constexpr auto kNamespaceKey = "prewarm-namespace";

struct AccessRequest {
  std::optional<std::string> authorization;  // the header of that name; nothing: there was none
  Right right{};
  std::string name_space{};  // as the caller named it; empty: not at all
  std::string object{};      // id of a prewarm, name of a node or volume; empty: no single one
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // What can be said without asking anybody; nothing: Ask has to. kUnauthenticated: no token, not
  // "Bearer …", unknown or expired. kForbidden: known, but the right is not theirs. Thread-safe.
  [[nodiscard]] virtual std::optional<ApiResult<Caller>> Check(
      const AccessRequest& request) const = 0;
  // On the control executor, within seconds. Also kUnavailable, where whoever knows cannot be asked
  // (nobody is let in then), and kInvalid, where the call does not say its namespace.
  virtual Task<ApiResult<Caller>> Ask(AccessRequest request);

  // Both: on the control executor.
  Task<ApiResult<Caller>> Find(AccessRequest request);
};

// The token of "Bearer …", the scheme in any case; nothing if it is anything else, or no token that
// RFC 6750 lets a client send.
std::optional<std::string_view> BearerToken(const std::optional<std::string>& authorization);

Problem NoToken();
Problem UnknownToken();

}  // namespace prewarm::controller
