#include "controller/admission/warm_preference.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

#include "controller/demand/warm_label.h"
#include "controller/kube/base64.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using kube::ArrayIn;
using kube::ObjectIn;
using kube::TextIn;

// Of 100: more than the scheduler's own wish to spread, less than what a user asks for with all his
// weight.
constexpr int kWeight = 50;
constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";

// The name of what was scaled: a ReplicaSet of a Deployment is called "<deployment>-<hash>".
std::string OwnerOf(const json::object& metadata) {
  const auto* owners = ArrayIn(metadata, "ownerReferences");
  if (owners == nullptr) return "";
  for (const auto& entry : *owners) {
    const auto* owner = entry.if_object();
    if (owner == nullptr) continue;
    const auto* controls = owner->if_contains("controller");
    if (controls == nullptr || *controls != json::value(true)) continue;
    const auto kind = TextIn(*owner, "kind");
    auto name = TextIn(*owner, "name");
    if (kind == "StatefulSet") return std::string(name);
    if (kind != "ReplicaSet") return "";
    const auto* labels = ObjectIn(metadata, "labels");
    const auto hash = labels == nullptr ? std::string_view() : TextIn(*labels, "pod-template-hash");
    const auto suffix = "-" + std::string(hash);
    if (!hash.empty() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
    return std::string(name);
  }
  return "";
}

bool Mentions(const json::array& wishes, std::string_view label) {
  // Whoever says something of the label has said it: also that the node must not have it.
  return std::ranges::any_of(wishes, [&](const json::value& wish) {
    return json::serialize(wish).find("\"" + std::string(label) + "\"") != std::string::npos;
  });
}

json::object Wish(std::string_view label) {
  return {{"weight", kWeight},
          {"preference",
           {{"matchExpressions", json::array{{{"key", label}, {"operator", "Exists"}}}}}}};
}

// Adds the wish as deep as there are objects already: a JSON Patch makes no parents.
std::optional<json::object> PatchFor(const json::object& spec, std::string_view label) {
  const json::array wishes = {Wish(label)};
  const auto added = [](std::string path, json::value value) {
    return json::object{{"op", "add"}, {"path", std::move(path)}, {"value", std::move(value)}};
  };
  std::string path = "/spec/affinity";
  const auto* affinity = ObjectIn(spec, "affinity");
  if (affinity == nullptr) return added(path, {{"nodeAffinity", {{kPreferred, wishes}}}});
  path += "/nodeAffinity";
  const auto* of_nodes = ObjectIn(*affinity, "nodeAffinity");
  if (of_nodes == nullptr) return added(path, {{kPreferred, wishes}});
  path += "/" + std::string(kPreferred);
  const auto* present = ArrayIn(*of_nodes, kPreferred);
  if (present == nullptr) return added(path, wishes);
  if (Mentions(*present, label)) return std::nullopt;
  return added(path + "/-", wishes.front());
}

std::optional<json::object> PatchFor(const json::object& request) {
  const auto* pod = ObjectIn(request, "object");
  if (pod == nullptr || TextIn(*pod, "kind") != "Pod") return std::nullopt;
  const auto* metadata = ObjectIn(*pod, "metadata");
  const auto* spec = ObjectIn(*pod, "spec");
  if (metadata == nullptr || spec == nullptr) return std::nullopt;
  const auto owner = OwnerOf(*metadata);
  if (owner.empty()) return std::nullopt;
  // The pod itself may not name its namespace yet.
  return PatchFor(*spec, demand::WarmLabel(TextIn(request, "namespace"), owner));
}

}  // namespace

Result<std::string> AnswerReview(std::string_view body) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kube::kMostJsonDepth;
  const auto document = json::parse({body.data(), body.size()}, error, {}, options);
  const auto* review = error ? nullptr : document.if_object();
  const auto* request = review == nullptr ? nullptr : ObjectIn(*review, "request");
  const auto uid = request == nullptr ? std::string_view() : TextIn(*request, "uid");
  if (uid.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the body is no AdmissionReview: send one of admission.k8s.io/v1 with a request");
  }
  json::object response = {{"uid", uid}, {"allowed", true}};
  if (const auto patch = PatchFor(*request)) {
    response["patchType"] = "JSONPatch";
    response["patch"] = kube::EncodeBase64(json::serialize(json::array{*patch}));
  }
  return json::serialize(json::object{{"apiVersion", "admission.k8s.io/v1"},
                                      {"kind", "AdmissionReview"},
                                      {"response", std::move(response)}});
}

}  // namespace prewarm::controller
