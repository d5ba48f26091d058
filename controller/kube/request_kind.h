// What a request to the Kubernetes API is about, in the words that RBAC has for it.
#pragma once

#include <string>
#include <string_view>

#include "controller/kube/kube_api.h"

namespace prewarm::controller::kube {

// Never with a name or a namespace in it: these are labels of metrics.
struct RequestKind {
  std::string_view verb;  // "get", "list", "watch", "create", "update", "patch", "delete"
  std::string resource;   // "pods", "prewarms.prewarm.dev/status", "discovery"
  bool operator==(const RequestKind&) const = default;
};

// `path` as resource.h builds it; any other path is of "other".
RequestKind KindOf(Method method, std::string_view path);

}  // namespace prewarm::controller::kube
