// Amazon's published examples ("Signature Calculations for the Authorization Header", S3 API
// reference), with their keys and their clock.
#include "agent/store/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace prewarm::agent {
namespace {

using testing::HasSubstr;

const S3Credentials kExampleKeys{"AKIAIOSFODNN7EXAMPLE",
                                 Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret()};
constexpr auto kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
// 2013-05-24T00:00:00Z
const WallTime kExampleTime{std::chrono::seconds(1369353600)};

std::string Authorization(const HttpHeaders& headers) {
  for (const auto& [name, value] : headers) {
    if (name == "Authorization") return value;
  }
  return "";
}

SigningInput ExampleInput() {
  SigningInput input;
  input.host = "examplebucket.s3.amazonaws.com";
  input.payload_hash = kEmptyHash;
  return input;
}

TEST(SigV4, SignsAmazonsGetObjectExample) {
  auto input = ExampleInput();
  input.path = "/test.txt";
  input.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(Authorization(SignV4(input, kExampleKeys, "us-east-1", kExampleTime)),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, SignsAmazonsBucketLifecycleExample) {
  auto input = ExampleInput();
  input.path = "/";
  input.query = "lifecycle=";
  EXPECT_THAT(
      Authorization(SignV4(input, kExampleKeys, "us-east-1", kExampleTime)),
      HasSubstr("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4, SignsAmazonsListObjectsExample) {
  auto input = ExampleInput();
  input.path = "/";
  input.query = "max-keys=2&prefix=J";
  EXPECT_THAT(
      Authorization(SignV4(input, kExampleKeys, "us-east-1", kExampleTime)),
      HasSubstr("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4, SendsAndSignsTheSessionToken) {
  auto keys = kExampleKeys;
  keys.session_token = Secret("token");
  const auto headers = SignV4(ExampleInput(), keys, "eu-west-1", kExampleTime);
  EXPECT_THAT(headers, testing::Contains(testing::Pair("x-amz-security-token", "token")));
  EXPECT_THAT(Authorization(headers), HasSubstr("x-amz-date;x-amz-security-token"));
}

TEST(SigV4, LeavesThePayloadUnsignedUnlessToldOtherwise) {
  SigningInput input;
  input.host = "h";
  input.path = "/b/k";
  EXPECT_THAT(SignV4(input, kExampleKeys, "us-east-1", kExampleTime),
              testing::Contains(testing::Pair("x-amz-content-sha256", "UNSIGNED-PAYLOAD")));
}

TEST(SigV4, EncodesPathsByTheRulesOfS3) {
  EXPECT_EQ(EncodePath("vol/chunks/0/1/1234_0_4194304"), "vol/chunks/0/1/1234_0_4194304");
  EXPECT_EQ(EncodePath("a b+c?d%/\xC3\xA4~-._"), "a%20b%2Bc%3Fd%25/%C3%A4~-._");
}

}  // namespace
}  // namespace prewarm::agent
