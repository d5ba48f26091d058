// Objects of a bucket that speaks S3: AWS, MinIO, GCS's interoperability endpoint and their kin.
#pragma once

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
                                                     const Clock& clock);

  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override;
  [[nodiscard]] std::string Describe() const override;

 private:
  S3Store(S3Location location, std::optional<S3Credentials> credentials,
          std::shared_ptr<boost::asio::ssl::context> tls, const Clock& clock);

  Task<Result<net::HttpAnswer>> Get(const ReadRequest& request, std::span<std::byte> into);
  [[nodiscard]] Result<ObjectBytes> Accept(const ReadRequest& request,
                                           const net::HttpAnswer& answer) const;
  [[nodiscard]] Error Refusal(const net::HttpAnswer& answer) const;
  // True if the answer tells that the bucket lives in another region than we signed for.
  bool LearnRegion(const net::HttpAnswer& answer);
  void MakeClient();

  S3Location location_;
  const std::optional<S3Credentials> credentials_;
  const std::shared_ptr<boost::asio::ssl::context> tls_;
  const Clock& clock_;
  std::optional<net::HttpClient> client_;
};

}  // namespace prewarm::agent
