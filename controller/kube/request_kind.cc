#include "controller/kube/request_kind.h"

#include <vector>

namespace prewarm::controller::kube {
namespace {

constexpr std::string_view kDiscovery = "discovery";
constexpr std::string_view kOther = "other";

std::vector<std::string_view> Steps(std::string_view path) {
  std::vector<std::string_view> steps;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const auto end = path.find('/');
    steps.push_back(path.substr(0, end));
    path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  }
  return steps;
}

std::string_view VerbOf(Method method, bool one_object) {
  switch (method) {
    case Method::kGet: return one_object ? "get" : "list";
    case Method::kPost: return "create";
    case Method::kPut: return "update";
    case Method::kPatch: return "patch";
    case Method::kDelete: return "delete";
  }
  return "get";
}

// The steps of a path after its group and version.
struct Parts {
  std::string_view group;
  std::vector<std::string_view> steps;
  bool known = false;
};

Parts PartsOf(std::string_view path) {
  Parts parts{{}, Steps(path), false};
  auto& steps = parts.steps;
  const bool core = steps.size() >= 2 && steps[0] == "api";
  const bool grouped = steps.size() >= 3 && steps[0] == "apis";
  if (!core && !grouped) return parts;
  parts.known = true;
  if (grouped) parts.group = steps[1];
  steps.erase(steps.begin(), steps.begin() + (grouped ? 3 : 2));
  if (steps.size() >= 3 && steps[0] == "namespaces") steps.erase(steps.begin(), steps.begin() + 2);
  return parts;
}

}  // namespace

RequestKind KindOf(Method method, std::string_view path) {
  const auto [group, steps, known] = PartsOf(path);
  if (!known) return {VerbOf(method, true), std::string(kOther)};
  if (steps.empty()) return {VerbOf(method, true), std::string(kDiscovery)};
  RequestKind kind{VerbOf(method, steps.size() > 1), std::string(steps[0])};
  if (!group.empty()) kind.resource.append(".").append(group);
  if (steps.size() > 2) kind.resource.append("/").append(steps[2]);
  return kind;
}

}  // namespace prewarm::controller::kube
