#include "controller/kube/discovery.h"

#include <utility>

#include "controller/kube/json_access.h"

namespace prewarm::controller::kube {

Task<Result<bool>> Discovery::Served(Resource resource) {
  CO_TRY(const auto path, GroupVersionPath(resource));
  const auto known = known_.find(path);
  if (known != known_.end() && clock_.Now() - known->second.asked < good_for_) {
    co_return known->second.plurals.contains(resource.plural);
  }
  CO_TRY(auto group, co_await Ask(path));
  const bool served = group.plurals.contains(resource.plural);
  known_.insert_or_assign(path, std::move(group));
  co_return served;
}

Task<Result<Discovery::Group>> Discovery::Ask(std::string path) {
  const auto what = "asking for the resources of " + path;
  Group group{.asked = clock_.Now()};
  const auto answer = co_await api_.Send({.path = path});
  if (!answer) co_return Error(answer.error()).Within(what);
  if (answer->status == 404) co_return group;
  if (!answer->ok()) co_return ErrorOf(*answer, what);
  const auto* list = answer->body.if_object();
  const auto* resources = list == nullptr ? nullptr : ArrayIn(*list, "resources");
  if (resources == nullptr) {
    co_return Fail(ErrorCode::kCorrupt, what + ": the answer is not a list of resources",
                   Reason::kNotAnObject);
  }
  for (const auto& resource : *resources) {
    const auto* object = resource.if_object();
    if (object != nullptr) group.plurals.emplace(TextIn(*object, "name"));
  }
  co_return group;
}

}  // namespace prewarm::controller::kube
