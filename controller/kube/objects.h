// Calls for objects, made of KubeApi::Send. Errors are those of ErrorOf and Send; each names the
// object. Objects are JSON here: turn them into values of the domain at once.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

Task<Result<boost::json::object>> GetObject(KubeApi& api, Resource resource, ObjectKey key);

struct ListRequest {
  Resource resource;
  std::string ns{};  // empty: all
  std::string label_selector{};
  std::string field_selector{};
  std::uint32_t page_size = 500;
};
// All objects of one point in time, page by page; the answer is their resourceVersion. kConflict:
// the list outlived what the server keeps of the past, begin again.
Task<Result<std::string>> ListObjects(KubeApi& api, ListRequest request,
                                      std::function<void(const boost::json::object&)> each);

// kConflict: it exists.
Task<Result<boost::json::object>> CreateObject(KubeApi& api, Resource resource, std::string ns,
                                               boost::json::object object);

// The object carries metadata.resourceVersion; kConflict: somebody changed it since.
Task<Result<boost::json::object>> ReplaceObject(KubeApi& api, Resource resource, ObjectKey key,
                                                boost::json::object object,
                                                std::string subresource = "");

struct ApplyOptions {
  std::string field_manager{};
  bool force = true;          // take fields over from other managers; else kConflict
  std::string subresource{};  // "status"
};
// Server-side apply: `object` has apiVersion, kind, metadata.name and the fields owned, no others.
// Repeating it changes nothing, the resourceVersion included.
Task<Result<boost::json::object>> ApplyObject(KubeApi& api, Resource resource, ObjectKey key,
                                              boost::json::object object, ApplyOptions options);

// A merge patch: null takes a field away. With metadata.resourceVersion in it, kConflict where the
// object was changed since.
Task<Result<boost::json::object>> PatchObject(KubeApi& api, Resource resource, ObjectKey key,
                                              boost::json::object patch,
                                              std::string subresource = "");

struct DeleteOptions {
  std::string uid{};               // only this very object; empty: whichever has the name
  std::string resource_version{};  // only in this state
  std::string propagation = "Background";
};
// kNotFound: there is none; kConflict: it is another one than `options` say.
Task<Status> DeleteObject(KubeApi& api, Resource resource, ObjectKey key, DeleteOptions options);

}  // namespace prewarm::controller::kube
