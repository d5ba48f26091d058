#include "controller/kube/resource.h"

#include <algorithm>

namespace prewarm::controller::kube {
namespace {

constexpr std::size_t kLongestPart = 253;

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 0xF];
  }
  return encoded;
}

// The same that the API server refuses in names ("path segment names"), and what could not come
// from it in the first place.
bool IsPathPart(std::string_view part) {
  const auto bad = [](char c) {
    return c == '/' || c == '%' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  };
  return !part.empty() && part != "." && part != ".." && part.size() <= kLongestPart &&
         std::ranges::none_of(part, bad);
}

class PathBuilder {
 public:
  PathBuilder& Add(std::string_view what, std::string_view part) {
    if (!IsPathPart(part) && problem_.empty()) {
      problem_ = "\"" + std::string(part.substr(0, kLongestPart)) + "\" cannot be " +
                 std::string(what) + " in the Kubernetes API";
    }
    path_ += '/' + PercentEncode(part);
    return *this;
  }
  Result<std::string> Take() && {
    if (!problem_.empty()) return Fail(ErrorCode::kInvalidArgument, std::move(problem_));
    return std::move(path_);
  }

 private:
  std::string path_;
  std::string problem_;
};

PathBuilder GroupVersion(const Resource& resource) {
  PathBuilder path;
  if (resource.group.empty()) {
    path.Add("a root", "api");
  } else {
    path.Add("a root", "apis").Add("a group", resource.group);
  }
  path.Add("a version", resource.version);
  return path;
}

PathBuilder Collection(const Resource& resource, std::string_view ns) {
  auto path = GroupVersion(resource);
  if (!ns.empty()) path.Add("a step", "namespaces").Add("a namespace", ns);
  path.Add("a resource", resource.plural);
  return path;
}

}  // namespace

std::string ToString(const ObjectKey& key) {
  return key.ns.empty() ? key.name : key.ns + "/" + key.name;
}

std::string ToString(const Resource& resource) {
  return resource.group.empty() ? resource.plural : resource.plural + "." + resource.group;
}

std::string ApiVersion(const Resource& resource) {
  return resource.group.empty() ? resource.version : resource.group + "/" + resource.version;
}

Result<std::string> GroupVersionPath(const Resource& resource) {
  return GroupVersion(resource).Take();
}

Result<std::string> CollectionPath(const Resource& resource, std::string_view ns) {
  return Collection(resource, ns).Take();
}

Result<std::string> ObjectPath(const Resource& resource, const ObjectKey& key,
                               std::string_view subresource) {
  auto path = Collection(resource, key.ns);
  path.Add("a name", key.name);
  if (!subresource.empty()) path.Add("a subresource", subresource);
  return std::move(path).Take();
}

std::string EncodeQuery(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += text.empty() ? '?' : '&';
    text += PercentEncode(name) + '=' + PercentEncode(value);
  }
  return text;
}

}  // namespace prewarm::controller::kube
