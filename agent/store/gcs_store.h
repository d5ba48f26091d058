// Objects of a Google Cloud Storage bucket over its XML API, which is where Google's client for Go,
// and with it JuiceFS, reads objects too. Its answers are those of an S3 server. Sources: "XML API
// overview" (Cloud Storage); JuiceFS v1.4.1, pkg/object/gs.go.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/store/google_tokens.h"
#include "agent/store/object_store.h"
#include "agent/store/s3_location.h"
#include "common/net/http_client.h"

namespace prewarm::agent {

struct GcsLocation {
  bool tls = true;
  std::string host = "storage.googleapis.com";
  std::uint16_t port = 443;
  std::string bucket;
  bool emulator = false;  // STORAGE_EMULATOR_HOST: asks for no token
  bool operator==(const GcsLocation&) const = default;
};

// "gs://bucket[.region]". kInvalidArgument: no bucket in it, another scheme, or an emulator that
// cannot be understood.
Result<GcsLocation> ParseGcsBucket(std::string_view text, const Environment& environment);

class GcsStore final : public ObjectStore {
 public:
  // Without `tokens` requests are made as anybody. kInvalidConfig: TLS cannot be used.
  static Result<std::unique_ptr<ObjectStore>> Create(GcsLocation location,
                                                     std::unique_ptr<GoogleTokens> tokens,
                                                     net::HttpLimits limits = {});

  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override;
  [[nodiscard]] std::string Describe() const override;

 private:
  GcsStore(GcsLocation location, std::shared_ptr<boost::asio::ssl::context> tls,
           std::unique_ptr<GoogleTokens> tokens, net::HttpLimits limits);
  [[nodiscard]] net::HttpRequest MakeRequest(const ReadRequest& request, const Secret& token) const;

  const GcsLocation location_;
  const std::unique_ptr<GoogleTokens> tokens_;
  net::HttpClient client_;
};

}  // namespace prewarm::agent
