#include "controller/access/token_reviews.h"

#include <openssl/sha.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using kube::ArrayIn;
using kube::ObjectIn;
using kube::TextIn;

kube::Resource TokenReviewResource() { return {"authentication.k8s.io", "v1", "tokenreviews"}; }

json::object ReviewOf(const Secret& token, const std::string& audience) {
  json::object spec{{"token", token.Reveal()}};
  if (!audience.empty()) spec["audiences"] = json::array{audience};
  return {{"apiVersion", "authentication.k8s.io/v1"},
          {"kind", "TokenReview"},
          {"spec", std::move(spec)}};
}

std::vector<std::string> TextsIn(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const auto* array = ArrayIn(object, name);
  if (array == nullptr) return texts;
  for (const auto& item : *array) {
    if (const auto* text = item.if_string()) texts.emplace_back(text->data(), text->size());
  }
  return texts;
}

// Null: refused. A server that knows nothing of audiences names none, and has then checked the
// token for itself alone.
UserPointer UserOf(const json::object& review, const std::string& audience) {
  const auto* status = ObjectIn(review, "status");
  if (status == nullptr) return nullptr;
  const auto* authenticated = status->if_contains("authenticated");
  if (authenticated == nullptr || !authenticated->is_bool() || !authenticated->get_bool()) {
    return nullptr;
  }
  const auto audiences = TextsIn(*status, "audiences");
  if (!audience.empty() && std::ranges::find(audiences, audience) == audiences.end()) {
    return nullptr;
  }
  const auto* found = ObjectIn(*status, "user");
  if (found == nullptr || TextIn(*found, "username").empty()) return nullptr;
  ReviewedUser user;
  user.name = TextIn(*found, "username");
  user.uid = TextIn(*found, "uid");
  user.groups = TextsIn(*found, "groups");
  if (const auto* extra = ObjectIn(*found, "extra")) user.extra = *extra;
  return std::make_shared<const ReviewedUser>(std::move(user));
}

}  // namespace

ReviewKey DigestOf(std::string_view text) {
  ReviewKey key{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data());
  return key;
}

TokenReviews::TokenReviews(const boost::asio::any_io_executor& executor, kube::KubeApi& api,
                           const Clock& clock, Options options)
    : api_(api), options_(std::move(options)), reviews_(executor, clock, options_.limits) {}

Task<Result<UserPointer>> TokenReviews::Who(Secret token) {
  const auto key = DigestOf(token.Reveal());
  return reviews_.Answer(key, [this, token = std::move(token), key] { return AskAll(token, key); });
}

Task<Result<UserPointer>> TokenReviews::AskAll(Secret token, ReviewKey key) {
  for (const auto& audience : options_.audiences) {
    CO_TRY(const auto user, co_await AskFor(token, audience));
    if (user == nullptr) continue;
    auto known = *user;
    known.token = key;
    co_return std::make_shared<const ReviewedUser>(std::move(known));
  }
  co_return UserPointer();
}

Task<Result<UserPointer>> TokenReviews::AskFor(Secret token, std::string audience) {
  constexpr std::string_view kWhat = "asking the API server whose a token is";
  kube::KubeRequest request{.method = kube::Method::kPost, .deadline = options_.request};
  CO_TRY(request.path, kube::CollectionPath(TokenReviewResource(), ""));
  request.body = ReviewOf(token, audience);
  auto answer = co_await api_.Send(std::move(request));
  if (!answer) co_return std::move(answer).error().Within(kWhat);
  if (!answer->ok()) co_return kube::ErrorOf(*answer, kWhat);
  const auto* review = answer->body.if_object();
  if (review == nullptr) {
    co_return Fail(ErrorCode::kCorrupt, std::string(kWhat) + ": the answer is not an object",
                   Reason::kNotAnObject);
  }
  co_return UserOf(*review, audience);
}

}  // namespace prewarm::controller
