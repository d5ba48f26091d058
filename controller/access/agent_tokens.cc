#include "controller/access/agent_tokens.h"

#include <boost/json/array.hpp>
#include <string_view>
#include <utility>

#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

constexpr auto kRequest = std::chrono::seconds(4);

// The only text of a list; empty if there is not exactly one.
std::string OnlyText(const json::object& extra, std::string_view name) {
  const auto* texts = kube::ArrayIn(extra, name);
  if (texts == nullptr || texts->size() != 1 || !texts->front().is_string()) return {};
  return std::string(texts->front().get_string());
}

Error Refused(std::string why) {
  return Fail(ErrorCode::kPermission, std::move(why), Reason::kAccessDenied);
}

}  // namespace

AgentTokens::AgentTokens(kube::KubeApi& api, TokenReviews& tokens, kube::ObjectKey account)
    : api_(api), tokens_(tokens), account_(std::move(account)) {}

Task<Result<std::string>> AgentTokens::NodeOf(Secret token) {
  CO_TRY(const auto user, co_await tokens_.Who(std::move(token)));
  if (user == nullptr) {
    co_return Refused(
        "the API server does not know the token: it has expired, or its audience is not " +
        std::string(kAudience));
  }
  if (user->name != "system:serviceaccount:" + account_.ns + ":" + account_.name) {
    co_return Refused("the token is not that of the service account " + ToString(account_) +
                      " but of " + user->name);
  }
  auto node = OnlyText(user->extra, "authentication.kubernetes.io/node-name");
  if (!node.empty()) co_return node;
  auto pod = OnlyText(user->extra, "authentication.kubernetes.io/pod-name");
  if (pod.empty()) {
    co_return Refused(
        "the token is bound to no pod: only one that is projected into a pod proves its node");
  }
  co_return co_await NodeOfPod(std::move(pod),
                               OnlyText(user->extra, "authentication.kubernetes.io/pod-uid"));
}

Task<Result<std::string>> AgentTokens::NodeOfPod(std::string name, std::string uid) {
  const kube::ObjectKey key{account_.ns, std::move(name)};
  const auto what = "reading the pod " + ToString(key);
  kube::KubeRequest request{.deadline = kRequest};
  CO_TRY(request.path, kube::ObjectPath({"", "v1", "pods"}, key));
  auto answer = co_await api_.Send(std::move(request));
  if (!answer) co_return std::move(answer).error().Within(what);
  if (answer->status == 404) co_return Refused("the pod " + ToString(key) + " is gone");
  if (!answer->ok()) {
    auto error = kube::ErrorOf(*answer, what);
    // That we may not read it says nothing against the agent.
    if (error.code == ErrorCode::kPermission) error.code = ErrorCode::kUnavailable;
    co_return error;
  }
  const auto* pod = answer->body.if_object();
  const auto* metadata = pod == nullptr ? nullptr : kube::ObjectIn(*pod, "metadata");
  const auto* spec = pod == nullptr ? nullptr : kube::ObjectIn(*pod, "spec");
  if (metadata == nullptr || spec == nullptr || kube::TextIn(*metadata, "uid") != uid) {
    co_return Refused("the token is of another pod than " + ToString(key) + " is now");
  }
  const auto node = kube::TextIn(*spec, "nodeName");
  if (node.empty()) co_return Refused("the pod " + ToString(key) + " is on no node");
  co_return std::string(node);
}

}  // namespace prewarm::controller
