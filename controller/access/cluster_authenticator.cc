#include "controller/access/cluster_authenticator.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace prewarm::controller {
namespace {

constexpr std::string_view kServiceAccount = "system:serviceaccount:";

bool IsNamespace(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// The namespace of a service account; empty for other users.
std::string_view HomeOf(const ReviewedUser& user) {
  const std::string_view name = user.name;
  if (!name.starts_with(kServiceAccount)) return {};
  const auto rest = name.substr(kServiceAccount.size());
  return rest.substr(0, rest.find(':'));
}

Problem NoNamespace(const AccessRequest& request) {
  return {ProblemKind::kInvalid,
          "namespace",
          request.name_space.empty()
              ? "Say which namespace the call is about: in the header Prewarm-Namespace, or by the "
                "option --namespace of prewarmctl."
              : "The header Prewarm-Namespace does not hold the name of a namespace.",
          {},
          {}};
}

ApiResult<AccessQuestion> QuestionOf(const AccessRequest& request, const ReviewedUser& user) {
  AccessQuestion question{request.right, request.name_space, request.object};
  if (!request.name_space.empty() && !IsNamespace(request.name_space)) {
    return Refuse(NoNamespace(request));
  }
  if (request.right.subject != Subject::kPrewarms) {
    question.name_space.clear();
    return question;
  }
  // "<namespace>.<name>", and a namespace has no dots.
  const std::string_view id = request.object;
  const auto dot = id.find('.');
  const bool names_both = dot != std::string_view::npos && IsNamespace(id.substr(0, dot));
  if (names_both) question.name = id.substr(dot + 1);
  if (question.name_space.empty())
    question.name_space = names_both ? id.substr(0, dot) : HomeOf(user);
  if (question.name_space.empty()) return Refuse(NoNamespace(request));
  return question;
}

Problem MayNot(const ReviewedUser& user, const AccessQuestion& question) {
  return {ProblemKind::kForbidden,
          "forbidden",
          user.name + " may not " + InWords(question) + ": a role of the cluster has to allow it.",
          {},
          {}};
}

}  // namespace

ClusterAuthenticator::ClusterAuthenticator(const Authenticator* file, TokenReviews& tokens,
                                           AccessReviews& rights, Logger log)
    : file_(file), tokens_(tokens), rights_(rights), log_(std::move(log)) {}

std::optional<ApiResult<Caller>> ClusterAuthenticator::Check(const AccessRequest& request) const {
  if (!BearerToken(request.authorization)) return Refuse(NoToken());
  if (file_ == nullptr) return std::nullopt;
  auto known = file_->Check(request);
  if (known && !*known && known->error().kind == ProblemKind::kUnauthenticated) return std::nullopt;
  return known;
}

Task<ApiResult<Caller>> ClusterAuthenticator::Ask(AccessRequest request) {
  const auto token = BearerToken(request.authorization);
  if (!token) co_return Refuse(NoToken());
  const auto user = co_await tokens_.Who(Secret(std::string(*token)));
  if (!user) co_return Refuse(CannotAsk(user.error()));
  if (*user == nullptr) co_return Refuse(UnknownToken());
  const auto question = QuestionOf(request, **user);
  if (!question) co_return Refuse(question.error());
  const auto may = co_await rights_.May(*user, *question);
  if (!may) co_return Refuse(CannotAsk(may.error()));
  NoteAnswer();
  if (!*may) co_return Refuse(MayNot(**user, *question));
  Caller caller{(*user)->name, question->name_space};
  if (caller.name_space.empty()) {
    caller.name_space = request.name_space.empty() ? HomeOf(**user) : request.name_space;
  }
  caller.every_volume = request.right.subject == Subject::kVolumes;
  co_return caller;
}

// Strangers are not told why; the log says it, once for each reason.
Problem ClusterAuthenticator::CannotAsk(const Error& why) {
  if (why.code != ErrorCode::kCancelled && why.message != trouble_) {
    log_.Warn("callers_unknown", {{"why", why}});
    trouble_ = why.message;
  }
  return {ProblemKind::kUnavailable,
          "cannot-ask",
          "The cluster's API server cannot be asked at the moment who calls and what they may do; "
          "try again.",
          {},
          std::chrono::seconds(2)};
}

void ClusterAuthenticator::NoteAnswer() {
  if (trouble_.empty()) return;
  log_.Info("callers_known_again");
  trouble_.clear();
}

}  // namespace prewarm::controller
