// Which objects of the Kubernetes API are meant, and the paths that lead to them. Paths are built
// here from parts and nowhere pasted together: names come from objects that others write. Pure.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace prewarm::controller::kube {

struct ObjectKey {
  std::string ns;  // namespace; empty: the object lies in none
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
};

// "namespace/name", or the name alone: for messages.
std::string ToString(const ObjectKey& key);

struct Resource {
  std::string group;  // empty: the core group
  std::string version;
  std::string plural;  // as in paths: "pods", "bentodeployments"
  auto operator<=>(const Resource&) const = default;
};

// "pods", "bentodeployments.serving.yatai.ai": for messages.
std::string ToString(const Resource& resource);

// "v1", "serving.yatai.ai/v2alpha1": as in an object's apiVersion.
std::string ApiVersion(const Resource& resource);

// kInvalidArgument for a part that the API server could not take as one step of a path: empty, ".",
// "..", with "/", "%" or a control character, or longer than 253 bytes.
Result<std::string> GroupVersionPath(const Resource& resource);
// The objects of a namespace, or of all of them where `ns` is empty.
Result<std::string> CollectionPath(const Resource& resource, std::string_view ns);
Result<std::string> ObjectPath(const Resource& resource, const ObjectKey& key,
                               std::string_view subresource = {});

using Query = std::vector<std::pair<std::string, std::string>>;

// "?a=b&c=d", encoded; empty for no parameters.
std::string EncodeQuery(const Query& query);

}  // namespace prewarm::controller::kube
