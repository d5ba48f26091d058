#include "agent/store/google_tokens.h"

#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace prewarm::agent {
namespace {

constexpr std::size_t kLongestAnswer = 16384;
// What is left of a token's life when it is not used for another request.
constexpr auto kMargin = std::chrono::seconds(60);
constexpr auto kFailureCounts = std::chrono::seconds(1);

Error Refused(const net::HttpAnswer& answer, const std::string& host) {
  const auto message = "the metadata server " + host + " answers " + std::to_string(answer.status);
  if (answer.status >= 500 || answer.status == 429) {
    return Fail(ErrorCode::kUnavailable, message, Reason::kServerError);
  }
  return Fail(ErrorCode::kPermission,
              message + ": no service account is bound to this machine or pod (Workload Identity)",
              Reason::kAccessDenied);
}

}  // namespace

std::optional<Secret> GoogleTokenCache::Get(SteadyTime now) {
  return kept_.With([&](const Kept& kept) -> std::optional<Secret> {
    if (kept.token.empty() || now >= kept.until) return std::nullopt;
    return kept.token;
  });
}

void GoogleTokenCache::Put(Secret token, SteadyTime until) {
  kept_.With([&](Kept& kept) { kept = {std::move(token), until}; });
}

void GoogleTokenCache::Drop(const Secret& token) {
  kept_.With([&](Kept& kept) {
    if (kept.token == token) kept = {};
  });
}

GoogleTokens::GoogleTokens(GoogleCredentials credentials, std::shared_ptr<GoogleTokenCache> cache,
                           const Clock& clock, net::HttpLimits limits)
    : credentials_(std::move(credentials)), cache_(std::move(cache)), clock_(clock) {
  if (const auto* server = std::get_if<MetadataServer>(&credentials_)) {
    metadata_.emplace(net::Endpoint{server->host, server->port, nullptr, ""}, limits);
  }
}

Task<Result<Secret>> GoogleTokens::Get() {
  if (!fetched_) fetched_.emplace(co_await boost::asio::this_coro::executor);
  while (true) {
    if (auto token = cache_->Get(clock_.Now())) co_return *std::move(token);
    if (failure_ && clock_.Now() < failure_until_) co_return Error(*failure_);
    if (!fetching_) break;
    if (!co_await fetched_->Wait()) {
      co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
  }
  fetching_ = true;
  auto token = co_await Fetch();
  fetching_ = false;
  const auto now = clock_.Now();
  if (token) {
    failure_.reset();
    const Duration life = token->lifetime;
    cache_->Put(token->text, now + std::max<Duration>(life - kMargin, life / 2));
  } else if (token.error().code != ErrorCode::kCancelled) {
    failure_ = token.error();
    failure_until_ = now + kFailureCounts;
  }
  fetched_->Notify();
  if (!token) co_return Error(token.error());
  co_return std::move(token->text);
}

Task<Result<GoogleToken>> GoogleTokens::Fetch() {
  if (const auto* key = std::get_if<ServiceAccountKey>(&credentials_)) {
    co_return SelfSignedToken(*key, clock_.WallNow());
  }
  co_return co_await Ask(std::get<MetadataServer>(credentials_));
}

Task<Result<GoogleToken>> GoogleTokens::Ask(const MetadataServer& server) {
  net::HttpRequest request;
  request.host = server.host;
  request.target = kMetadataTokenPath;
  request.headers = {{"Metadata-Flavor", "Google"}, {"User-Agent", "prewarm-agent"}};
  std::array<std::byte, kLongestAnswer> body{};
  const auto answer = co_await metadata_->Get(std::move(request), body);
  if (!answer) {
    co_return Fail(
        answer.error().code,
        "no Google credentials: GOOGLE_APPLICATION_CREDENTIALS names no key file, and the "
        "metadata server " +
            server.host + " cannot be asked: " + answer.error().message,
        answer.error().reason);
  }
  if (answer->status / 100 != 2) co_return Refused(*answer, server.host);
  co_return ReadMetadataToken(
      std::string_view(reinterpret_cast<const char*>(body.data()), answer->body_bytes));
}

}  // namespace prewarm::agent
