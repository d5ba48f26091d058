#include "agent/store/gcs_store.h"

#include <utility>

#include "agent/store/s3_answer.h"
#include "agent/store/sigv4.h"

namespace prewarm::agent {
namespace {

constexpr unsigned kUnauthorized = 401;

}  // namespace

Result<std::unique_ptr<ObjectStore>> GcsStore::Create(S3Location location,
                                                      std::unique_ptr<GoogleTokens> tokens,
                                                      net::HttpLimits limits) {
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (location.tls) {
    TRY(tls, net::MakeTlsContext({}));
  }
  return std::unique_ptr<ObjectStore>(
      new GcsStore(std::move(location), std::move(tls), std::move(tokens), limits));
}

GcsStore::GcsStore(S3Location location, std::shared_ptr<boost::asio::ssl::context> tls,
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
  get.host = location_.HostHeader();
  get.target = location_.PathPrefix() + "/" + EncodePath(request.key);
  get.fresh_connection = request.fresh_connection;
  if (request.length) get.headers.emplace_back("range", RangeHeader(request));
  if (!token.empty()) get.headers.emplace_back("Authorization", "Bearer " + token.Reveal());
  get.headers.emplace_back("Accept-Encoding", "identity");
  get.headers.emplace_back("User-Agent", "prewarm-agent");
  return get;
}

}  // namespace prewarm::agent
