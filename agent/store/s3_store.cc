#include "agent/store/s3_store.h"

#include <utility>

#include "agent/store/s3_answer.h"

namespace prewarm::agent {

Result<std::unique_ptr<ObjectStore>> S3Store::Create(S3Location location,
                                                     std::optional<S3Credentials> credentials,
                                                     const Clock& clock, net::HttpLimits limits) {
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (location.tls) {
    TRY(tls, net::MakeTlsContext({location.ca_file, location.certificate_file, location.key_file,
                                  location.verify_tls}));
  }
  return std::unique_ptr<ObjectStore>(
      new S3Store(std::move(location), std::move(credentials), std::move(tls), clock, limits));
}

S3Store::S3Store(S3Location location, std::optional<S3Credentials> credentials,
                 std::shared_ptr<boost::asio::ssl::context> tls, const Clock& clock,
                 net::HttpLimits limits)
    : location_(std::move(location)),
      credentials_(std::move(credentials)),
      tls_(std::move(tls)),
      clock_(clock),
      limits_(limits) {
  MakeClient();
}

void S3Store::MakeClient() {
  client_ = std::make_shared<net::HttpClient>(
      net::Endpoint{location_.ConnectHost(), location_.port, tls_, ""}, limits_);
}

std::string S3Store::Describe() const {
  return "s3 bucket " + location_.bucket + " at " + location_.host + ":" +
         std::to_string(location_.port);
}

Task<Result<ObjectBytes>> S3Store::Read(ReadRequest request, std::span<std::byte> into) {
  if (request.length == 0) co_return ObjectBytes{};
  for (bool moved = false;; moved = true) {
    const std::string region = location_.region;
    const auto client = client_;
    CO_TRY(const auto answer, co_await client->Get(MakeRequest(request), into));
    if (answer.status / 100 == 2) {
      co_return AcceptObject(request, answer, into, location_.checksums);
    }
    // Another call may have learned the region while this one was under way.
    if (!moved) LearnRegion(answer);
    if (moved || location_.region == region) co_return RefusedObject(answer, Describe());
    if (co_await Stopping()) {
      co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
  }
}

net::HttpRequest S3Store::MakeRequest(const ReadRequest& request) const {
  net::HttpRequest get;
  get.host = location_.HostHeader();
  get.target = location_.PathPrefix() + "/" + EncodePath(request.key);
  get.fresh_connection = request.fresh_connection;
  if (request.length) {
    get.headers.emplace_back("range", RangeHeader(request));
  } else if (location_.aws && location_.checksums) {
    get.headers.emplace_back("x-amz-checksum-mode", "ENABLED");
  }
  if (credentials_) {
    SigningInput input;
    input.host = get.host;
    input.path = get.target;
    input.headers = std::move(get.headers);
    get.headers = SignV4(std::move(input), *credentials_, location_.region, clock_.WallNow());
  }
  // Unsigned, because proxies may change them.
  get.headers.emplace_back("Accept-Encoding", "identity");
  get.headers.emplace_back("User-Agent", "prewarm-agent");
  return get;
}

void S3Store::LearnRegion(const net::HttpAnswer& answer) {
  const std::string region = BucketRegion(answer);
  if (!location_.aws || region.empty() || region == location_.region) return;
  location_.MoveTo(region);
  MakeClient();
}

}  // namespace prewarm::agent
