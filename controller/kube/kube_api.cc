#include "controller/kube/kube_api.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller::kube {
namespace {

constexpr std::size_t kLongestText = 1024;

std::pair<ErrorCode, Reason> Meaning(unsigned status) {
  switch (status) {
    case 401:
    case 403: return {ErrorCode::kPermission, Reason::kAccessDenied};
    case 404: return {ErrorCode::kNotFound, Reason::kNotFound};
    case 409:
    case 410: return {ErrorCode::kConflict, Reason::kUnspecified};
    case 429: return {ErrorCode::kUnavailable, Reason::kThrottled};
    case 500:
    case 502:
    case 503:
    case 504: return {ErrorCode::kUnavailable, Reason::kServerError};
    default: return {ErrorCode::kInvalidArgument, Reason::kUnspecified};
  }
}

}  // namespace

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kGet: return "GET";
    case Method::kPost: return "POST";
    case Method::kPut: return "PUT";
    case Method::kPatch: return "PATCH";
    case Method::kDelete: return "DELETE";
  }
  return "GET";
}

std::string MessageOf(const boost::json::value& body) {
  const auto* object = body.if_object();
  const auto* message = object == nullptr ? body.if_string() : nullptr;
  if (object != nullptr) {
    if (const auto* member = object->if_contains("message")) message = member->if_string();
  }
  if (message == nullptr) return {};
  std::string text(message->data(), std::min(message->size(), kLongestText));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Error ErrorOf(const KubeAnswer& answer, std::string_view what) {
  const auto [code, reason] = Meaning(answer.status);
  auto message = MessageOf(answer.body);
  if (message.empty()) message = "HTTP status " + std::to_string(answer.status);
  return Fail(code, std::string(what) + ": " + message, reason);
}

}  // namespace prewarm::controller::kube
