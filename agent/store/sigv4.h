// AWS Signature Version 4 for requests without a body, as S3 wants it in the Authorization header.
// Source: "Signature Calculations for the Authorization Header", AWS S3 API reference. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/secret.h"

namespace prewarm::agent {

struct S3Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;  // empty: long-lived keys
};

struct SigningInput {
  std::string method = "GET";
  std::string host;   // with the port, if it is not the scheme's
  std::string path;   // encoded, begins with "/"
  std::string query;  // canonical: sorted, encoded
  std::vector<std::pair<std::string, std::string>>
      headers;  // to be signed besides host and x-amz-*
  std::string payload_hash = "UNSIGNED-PAYLOAD";
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The headers to send besides Host: those of the input, x-amz-date, x-amz-content-sha256,
// x-amz-security-token and Authorization.
HttpHeaders SignV4(SigningInput input, const S3Credentials& credentials, std::string_view region,
                   WallTime now);

// The path of a key by S3's rules: every byte but A-Z a-z 0-9 - . _ ~ and "/" percent-encoded.
std::string EncodePath(std::string_view path);

}  // namespace prewarm::agent
