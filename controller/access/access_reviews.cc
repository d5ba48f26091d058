#include "controller/access/access_reviews.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string_view>
#include <utility>

#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

constexpr std::string_view kGroup = "prewarm.dev";

kube::Resource AccessReviewResource() {
  return {"authorization.k8s.io", "v1", "subjectaccessreviews"};
}

std::string_view NameOf(Action action) {
  switch (action) {
    case Action::kGet: return "get";
    case Action::kList: return "list";
    case Action::kWatch: return "watch";
    case Action::kCreate: return "create";
    case Action::kDelete: return "delete";
  }
  return "";
}

// Of a custom resource, or the path of a page.
std::string_view NameOf(Subject subject) {
  switch (subject) {
    case Subject::kPrewarms: return "prewarms";
    case Subject::kNodes: return "nodecaches";
    case Subject::kVolumes: return "prewarmvolumes";
    case Subject::kMetrics: return "/metrics";
    case Subject::kConfig: return "/config";
  }
  return "";
}

bool IsPage(Subject subject) { return NameOf(subject).starts_with('/'); }

json::object ReviewOf(const ReviewedUser& user, const AccessQuestion& question) {
  const auto& [right, name_space, name] = question;
  json::object spec{{"user", user.name},
                    {"groups", json::array(user.groups.begin(), user.groups.end())}};
  if (!user.uid.empty()) spec["uid"] = user.uid;
  if (!user.extra.empty()) spec["extra"] = user.extra;
  if (IsPage(right.subject)) {
    spec["nonResourceAttributes"] = {{"verb", NameOf(right.action)},
                                     {"path", NameOf(right.subject)}};
  } else {
    json::object attributes{
        {"verb", NameOf(right.action)}, {"group", kGroup}, {"resource", NameOf(right.subject)}};
    if (!name_space.empty()) attributes["namespace"] = name_space;
    if (!name.empty()) attributes["name"] = name;
    spec["resourceAttributes"] = std::move(attributes);
  }
  return {{"apiVersion", "authorization.k8s.io/v1"},
          {"kind", "SubjectAccessReview"},
          {"spec", std::move(spec)}};
}

bool IsTrue(const json::object& object, std::string_view name) {
  const auto* member = object.if_contains({name.data(), name.size()});
  return member != nullptr && member->is_bool() && member->get_bool();
}

ReviewKey KeyOf(const ReviewedUser& user, const AccessQuestion& question) {
  std::string text(user.token.begin(), user.token.end());
  for (const auto part : {NameOf(question.right.action), NameOf(question.right.subject),
                          std::string_view(question.name_space), std::string_view(question.name)}) {
    // Of the same length each, so that no two questions look alike.
    const auto digest = DigestOf(part);
    text.append(digest.begin(), digest.end());
  }
  return DigestOf(text);
}

}  // namespace

std::string InWords(const AccessQuestion& question) {
  const auto& [right, name_space, name] = question;
  auto words = std::string(NameOf(right.action)) + " " + std::string(NameOf(right.subject));
  if (IsPage(right.subject)) return words;
  words += "." + std::string(kGroup);
  if (right.subject == Subject::kPrewarms) words += " in namespace " + name_space;
  return words;
}

AccessReviews::AccessReviews(const boost::asio::any_io_executor& executor, kube::KubeApi& api,
                             const Clock& clock, const Options& options)
    : api_(api), request_(options.request), reviews_(executor, clock, options.limits) {}

Task<Result<bool>> AccessReviews::May(UserPointer user, AccessQuestion question) {
  const auto key = KeyOf(*user, question);
  return reviews_.Answer(key, [this, user = std::move(user), question = std::move(question)] {
    return Ask(user, question);
  });
}

Task<Result<bool>> AccessReviews::Ask(UserPointer user, AccessQuestion question) {
  constexpr std::string_view kWhat = "asking the API server what a caller may do";
  kube::KubeRequest request{.method = kube::Method::kPost, .deadline = request_};
  CO_TRY(request.path, kube::CollectionPath(AccessReviewResource(), ""));
  request.body = ReviewOf(*user, question);
  auto answer = co_await api_.Send(std::move(request));
  if (!answer) co_return std::move(answer).error().Within(kWhat);
  if (!answer->ok()) co_return kube::ErrorOf(*answer, kWhat);
  const auto* review = answer->body.if_object();
  const auto* status = review == nullptr ? nullptr : kube::ObjectIn(*review, "status");
  if (status == nullptr) {
    co_return Fail(ErrorCode::kCorrupt, std::string(kWhat) + ": the answer has no status",
                   Reason::kNotAnObject);
  }
  co_return IsTrue(*status, "allowed") && !IsTrue(*status, "denied");
}

}  // namespace prewarm::controller
