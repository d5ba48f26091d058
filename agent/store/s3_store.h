// Objects of a bucket that speaks S3: AWS, MinIO, GCS's interoperability endpoint and their kin.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/store/object_store.h"
#include "agent/store/s3_location.h"
#include "agent/store/sigv4.h"
#include "common/base/clock.h"
#include "common/net/http_client.h"

namespace prewarm::agent {

class S3Store final : public ObjectStore {
 public:
  // Without credentials requests are not signed. kInvalidConfig: unusable TLS files.
  static Result<std::unique_ptr<ObjectStore>> Create(S3Location location,
                                                     std::optional<S3Credentials> credentials,
                                                     const Clock& clock,
                                                     net::HttpLimits limits = {});

  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override;
  [[nodiscard]] std::string Describe() const override;

 private:
  S3Store(S3Location location, std::optional<S3Credentials> credentials,
          std::shared_ptr<boost::asio::ssl::context> tls, const Clock& clock,
          net::HttpLimits limits);

  [[nodiscard]] net::HttpRequest MakeRequest(const ReadRequest& request) const;
  // Moves to the region that the answer names, if that is another one.
  void LearnRegion(const net::HttpAnswer& answer);
  void MakeClient();

  S3Location location_;
  const std::optional<S3Credentials> credentials_;
  const std::shared_ptr<boost::asio::ssl::context> tls_;
  const Clock& clock_;
  const net::HttpLimits limits_;
  // Replaced when the region changes; calls under way hold on to theirs.
  std::shared_ptr<net::HttpClient> client_;
};

}  // namespace prewarm::agent
