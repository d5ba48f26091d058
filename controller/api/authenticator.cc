#include "controller/api/authenticator.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller {
namespace {

// Long enough for the tokens of any issuer; the metadata of gRPC ends there, too.
constexpr std::size_t kMostTokenBytes = 8192;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool CanBeSent(std::string_view token) {
  return std::ranges::all_of(token, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

Problem Unauthenticated(std::string detail) {
  return {ProblemKind::kUnauthenticated, "unauthenticated", std::move(detail), {}, {}};
}

}  // namespace

Task<ApiResult<Caller>> Authenticator::Ask(AccessRequest request) {
  auto known = Check(request);
  if (!known) co_return Refuse(UnknownToken());
  co_return *std::move(known);
}

Task<ApiResult<Caller>> Authenticator::Find(AccessRequest request) {
  if (auto known = Check(request)) co_return *std::move(known);
  co_return co_await Ask(std::move(request));
}

std::optional<std::string_view> BearerToken(const std::optional<std::string>& authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!authorization || authorization->size() <= kScheme.size()) return std::nullopt;
  const std::string_view header = *authorization;
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  if (!std::ranges::equal(header.substr(0, kScheme.size()), kScheme, same)) return std::nullopt;
  const auto token = Trimmed(header.substr(kScheme.size()));
  if (token.empty() || token.size() > kMostTokenBytes || !CanBeSent(token)) return std::nullopt;
  return token;
}

Problem NoToken() {
  return Unauthenticated("A token is needed: send \"Authorization: Bearer <token>\".");
}

Problem UnknownToken() { return Unauthenticated("The token is not known, or has expired."); }

}  // namespace prewarm::controller
