// Objects of a Google Cloud Storage bucket over its XML API, which is where Google's client for Go,
// and with it JuiceFS, reads objects too. Paths and answers are those of an S3 server. Source: "XML
// API overview" (Cloud Storage).
#pragma once

#include <memory>
#include <string>

#include "agent/store/google_tokens.h"
#include "agent/store/object_store.h"
#include "agent/store/s3_location.h"
#include "common/net/http_client.h"

namespace prewarm::agent {

class GcsStore final : public ObjectStore {
 public:
  // Without `tokens` requests are made as anybody. kInvalidConfig: TLS cannot be used.
  static Result<std::unique_ptr<ObjectStore>> Create(S3Location location,
                                                     std::unique_ptr<GoogleTokens> tokens,
                                                     net::HttpLimits limits = {});

  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override;
  [[nodiscard]] std::string Describe() const override;

 private:
  GcsStore(S3Location location, std::shared_ptr<boost::asio::ssl::context> tls,
           std::unique_ptr<GoogleTokens> tokens, net::HttpLimits limits);
  [[nodiscard]] net::HttpRequest MakeRequest(const ReadRequest& request, const Secret& token) const;

  const S3Location location_;
  const std::unique_ptr<GoogleTokens> tokens_;
  net::HttpClient client_;
};

}  // namespace prewarm::agent
