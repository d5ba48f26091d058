#include "controller/kube/objects.h"

#include <boost/json/array.hpp>
#include <utility>

#include "controller/kube/json_access.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;

std::string Name(const char* verb, const Resource& resource, const ObjectKey& key) {
  return std::string(verb) + " " + ToString(resource) + " " + ToString(key);
}

Result<json::object> ObjectOf(Result<KubeAnswer> answer, const std::string& what) {
  if (!answer) return std::move(answer).error().Within(what);
  if (!answer->ok()) return ErrorOf(*answer, what);
  auto* object = answer->body.if_object();
  if (object == nullptr) {
    return Fail(ErrorCode::kCorrupt, what + ": the answer is not an object", Reason::kNotAnObject);
  }
  return std::move(*object);
}

Task<Result<json::object>> SendObject(KubeApi& api, KubeRequest request, std::string what) {
  co_return ObjectOf(co_await api.Send(std::move(request)), what);
}

Query Selectors(const ListRequest& request) {
  Query query;
  if (!request.label_selector.empty()) query.emplace_back("labelSelector", request.label_selector);
  if (!request.field_selector.empty()) query.emplace_back("fieldSelector", request.field_selector);
  return query;
}

}  // namespace

Task<Result<json::object>> GetObject(KubeApi& api, Resource resource, ObjectKey key) {
  KubeRequest request;
  CO_TRY(request.path, ObjectPath(resource, key));
  co_return co_await SendObject(api, std::move(request), Name("reading", resource, key));
}

Task<Result<std::string>> ListObjects(KubeApi& api, ListRequest request,
                                      std::function<void(const json::object&)> each) {
  const std::string what = "listing " + ToString(request.resource);
  CO_TRY(const auto path, CollectionPath(request.resource, request.ns));
  std::string continue_from;
  for (;;) {
    KubeRequest page{.path = path, .query = Selectors(request), .body = {}};
    page.query.emplace_back("limit", std::to_string(request.page_size));
    if (!continue_from.empty()) page.query.emplace_back("continue", continue_from);
    CO_TRY(const auto list, co_await SendObject(api, std::move(page), what));
    if (const auto* items = ArrayIn(list, "items")) {
      for (const auto& item : *items) {
        if (const auto* object = item.if_object()) each(*object);
      }
    }
    const auto* metadata = ObjectIn(list, "metadata");
    if (metadata == nullptr) {
      co_return Fail(ErrorCode::kCorrupt, what + ": the answer is not a list",
                     Reason::kNotAnObject);
    }
    continue_from = TextIn(*metadata, "continue");
    if (continue_from.empty()) co_return std::string(TextIn(*metadata, "resourceVersion"));
  }
}

Task<Result<json::object>> CreateObject(KubeApi& api, Resource resource, std::string ns,
                                        json::object object) {
  KubeRequest request{.method = Method::kPost};
  CO_TRY(request.path, CollectionPath(resource, ns));
  request.body = std::move(object);
  co_return co_await SendObject(api, std::move(request), "creating " + ToString(resource));
}

Task<Result<json::object>> ReplaceObject(KubeApi& api, Resource resource, ObjectKey key,
                                         json::object object, std::string subresource) {
  KubeRequest request{.method = Method::kPut};
  CO_TRY(request.path, ObjectPath(resource, key, subresource));
  request.body = std::move(object);
  co_return co_await SendObject(api, std::move(request), Name("replacing", resource, key));
}

Task<Result<json::object>> ApplyObject(KubeApi& api, Resource resource, ObjectKey key,
                                       json::object object, ApplyOptions options) {
  KubeRequest request{.method = Method::kPatch, .content_type = ContentType::kApplyPatch};
  CO_TRY(request.path, ObjectPath(resource, key, options.subresource));
  request.query = {{"fieldManager", options.field_manager},
                   {"force", options.force ? "true" : "false"}};
  request.body = std::move(object);
  co_return co_await SendObject(api, std::move(request), Name("applying", resource, key));
}

Task<Result<json::object>> PatchObject(KubeApi& api, Resource resource, ObjectKey key,
                                       json::object patch, std::string subresource) {
  KubeRequest request{.method = Method::kPatch, .content_type = ContentType::kMergePatch};
  CO_TRY(request.path, ObjectPath(resource, key, subresource));
  request.body = std::move(patch);
  co_return co_await SendObject(api, std::move(request), Name("patching", resource, key));
}

Task<Status> DeleteObject(KubeApi& api, Resource resource, ObjectKey key, DeleteOptions options) {
  KubeRequest request{.method = Method::kDelete};
  CO_TRY(request.path, ObjectPath(resource, key));
  json::object preconditions;
  if (!options.uid.empty()) preconditions["uid"] = options.uid;
  if (!options.resource_version.empty()) {
    preconditions["resourceVersion"] = options.resource_version;
  }
  json::object body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!options.propagation.empty()) body["propagationPolicy"] = options.propagation;
  if (!preconditions.empty()) body["preconditions"] = std::move(preconditions);
  request.body = std::move(body);
  const auto what = Name("deleting", resource, key);
  const auto answer = co_await api.Send(std::move(request));
  if (!answer) co_return Error(answer.error()).Within(what);
  if (!answer->ok()) co_return ErrorOf(*answer, what);
  co_return Status();
}

}  // namespace prewarm::controller::kube
