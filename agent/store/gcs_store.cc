#include "agent/store/gcs_store.h"

#include <charconv>
#include <utility>

#include "agent/store/s3_answer.h"
#include "agent/store/sigv4.h"

namespace prewarm::agent {
namespace {

constexpr unsigned kUnauthorized = 401;

Error Unusable(std::string_view text, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument,
              "the bucket \"" + std::string(text) + "\" cannot be used: " + why);
}

// "host:port" or "http://host:port", as Google's clients take it.
Status UseEmulator(std::string_view text, GcsLocation& location) {
  const auto scheme = text.find("://");
  location.emulator = true;
  location.tls = scheme != std::string_view::npos && text.substr(0, scheme) == "https";
  auto rest = scheme == std::string_view::npos ? text : text.substr(scheme + 3);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  location.port = location.tls ? 443 : 80;
  if (const auto colon = rest.rfind(':'); colon != std::string_view::npos) {
    const auto digits = rest.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), location.port);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size();
    rest = whole ? rest.substr(0, colon) : std::string_view();
  }
  location.host = std::string(rest);
  if (!rest.empty() && location.port != 0) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "STORAGE_EMULATOR_HOST: \"" + std::string(text) + "\" is not HOST:PORT");
}

}  // namespace

Result<GcsLocation> ParseGcsBucket(std::string_view text, const Environment& environment) {
  GcsLocation location;
  auto rest = text;
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (rest.substr(0, scheme) != "gs") return Unusable(text, "it is not gs://BUCKET");
    rest.remove_prefix(scheme + 3);
  }
  // What follows the first dot is the region in which the bucket was made.
  location.bucket = std::string(rest.substr(0, rest.find_first_of("./?")));
  if (location.bucket.empty()) return Unusable(text, "it names no bucket");
  const auto emulator = environment("STORAGE_EMULATOR_HOST").value_or("");
  if (!emulator.empty()) {
    TRY_STATUS(UseEmulator(emulator, location));
  }
  return location;
}

Result<std::unique_ptr<ObjectStore>> GcsStore::Create(GcsLocation location,
                                                      std::unique_ptr<GoogleTokens> tokens,
                                                      net::HttpLimits limits) {
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (location.tls) {
    TRY(tls, net::MakeTlsContext({}));
  }
  return std::unique_ptr<ObjectStore>(
      new GcsStore(std::move(location), std::move(tls), std::move(tokens), limits));
}

GcsStore::GcsStore(GcsLocation location, std::shared_ptr<boost::asio::ssl::context> tls,
                   std::unique_ptr<GoogleTokens> tokens, net::HttpLimits limits)
    : location_(std::move(location)),
      tokens_(std::move(tokens)),
      client_(net::Endpoint{location_.host, location_.port, std::move(tls), ""}, limits) {}

std::string GcsStore::Describe() const {
  return "gs bucket " + location_.bucket + " at " + location_.host;
}

Task<Result<ObjectBytes>> GcsStore::Read(ReadRequest request, std::span<std::byte> into) {
  if (request.length == 0) co_return ObjectBytes{};
  for (bool again = false;; again = true) {
    Secret token;
    if (tokens_ != nullptr) {
      CO_TRY(token, co_await tokens_->Get());
    }
    CO_TRY(const auto answer, co_await client_.Get(MakeRequest(request, token), into));
    if (answer.status / 100 == 2) co_return AcceptObject(request, answer, into, true);
    // A token that was taken back before its time is replaced, once.
    if (answer.status != kUnauthorized || again || tokens_ == nullptr) {
      co_return RefusedObject(answer, Describe());
    }
    tokens_->Drop(token);
    if (co_await Stopping()) {
      co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
  }
}

net::HttpRequest GcsStore::MakeRequest(const ReadRequest& request, const Secret& token) const {
  net::HttpRequest get;
  const bool usual_port = location_.port == (location_.tls ? 443 : 80);
  get.host = usual_port ? location_.host : location_.host + ":" + std::to_string(location_.port);
  get.target = "/" + location_.bucket + "/" + EncodePath(request.key);
  get.fresh_connection = request.fresh_connection;
  if (request.length) get.headers.emplace_back("range", RangeHeader(request));
  if (!token.empty()) get.headers.emplace_back("Authorization", "Bearer " + token.Reveal());
  get.headers.emplace_back("Accept-Encoding", "identity");
  get.headers.emplace_back("User-Agent", "prewarm-agent");
  return get;
}

}  // namespace prewarm::agent
