#include "agent/store/s3_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace prewarm::agent {
namespace {

using testing::HasSubstr;

using Headers = std::vector<std::pair<std::string, std::string>>;

net::HttpAnswer Answer(unsigned status, const Headers& headers = {}, std::string error_body = "") {
  net::HttpAnswer answer;
  answer.status = status;
  for (const auto& [name, value] : headers) answer.headers.insert(name, value);
  answer.error_body = std::move(error_body);
  return answer;
}

Result<ObjectBytes> Accept(const ReadRequest& request, const std::string& body,
                           const Headers& headers, unsigned status = 200) {
  auto answer = Answer(status, headers);
  answer.body_bytes = body.size();
  return AcceptObject(request, answer, std::as_bytes(std::span(body)), true);
}

ReadRequest TenBytesFrom(std::uint64_t offset) {
  ReadRequest request;
  request.offset = offset;
  request.length = 10;
  return request;
}

Reason WhyNot(const Result<ObjectBytes>& result) {
  return result ? Reason::kUnspecified : result.error().reason;
}

TEST(S3Answer, TakesTheChecksumThatJuiceFsStoredOrTheStoreComputed) {
  const auto crc = [](const Headers& headers) {
    const auto object = Accept({}, "x", headers);
    return object ? object->crc32c : 0xbadU;
  };
  // CRC-32C of "123456789" is e3069283.
  EXPECT_EQ(crc({{"X-Amz-Meta-Crc32c", "3808858755"}}), 0xe3069283U);
  EXPECT_EQ(crc({{"x-amz-checksum-crc32c", "4waSgw=="}}), 0xe3069283U);
  EXPECT_EQ(crc({{"x-goog-hash", "crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw=="}}), 0xe3069283U);
  EXPECT_EQ(
      crc({{"x-goog-hash", "md5=JfnnlDI7RTiF9RgfG2JNCw=="}, {"x-goog-hash", "crc32c=4waSgw=="}}),
      0xe3069283U);
  EXPECT_EQ(crc({{"x-amz-meta-crc32c", "1"}, {"x-amz-checksum-crc32c", "4waSgw=="}}), 1U);
  // A checksum of checksums, garbage, too large, nothing: none of them is a checksum of the object.
  EXPECT_EQ(crc({{"x-amz-checksum-crc32c", "4waSgw==-7"}}), std::nullopt);
  EXPECT_EQ(crc({{"x-amz-checksum-crc32c", "4wa!gw=="}}), std::nullopt);
  EXPECT_EQ(crc({{"x-amz-meta-crc32c", "4294967296"}}), std::nullopt);
  EXPECT_EQ(crc({{"x-amz-meta-crc32c", "12x"}}), std::nullopt);
  EXPECT_EQ(crc({}), std::nullopt);
}

TEST(S3Answer, IgnoresChecksumsWhenTheVolumeDisablesThem) {
  auto answer = Answer(200, {{"x-amz-meta-crc32c", "1"}});
  const auto object = AcceptObject({}, answer, {}, false);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->crc32c, std::nullopt);
}

TEST(S3Answer, RefusesPagesThatComeWithSuccess) {
  const std::string page = "\n<!DOCTYPE html><html></html>";
  EXPECT_EQ(WhyNot(Accept({}, page, {{"Content-Type", "text/html; charset=utf-8"}})),
            Reason::kNotAnObject);
  EXPECT_EQ(
      WhyNot(Accept({}, "<?xml version=\"1.0\"?><Error/>", {{"Content-Type", "application/xml"}})),
      Reason::kNotAnObject);
  // Bytes that only look like one are an object.
  EXPECT_TRUE(Accept({}, page, {{"Content-Type", "application/octet-stream"}}));
  EXPECT_TRUE(Accept({}, page, {}));
  EXPECT_TRUE(Accept({}, "\x1f plain", {{"Content-Type", "text/html"}}));
  EXPECT_TRUE(Accept({}, page, {{"Content-Type", "text/html"}, {"x-amz-meta-crc32c", "1"}}));
}

TEST(S3Answer, RefusesBytesThatWereEncodedOnTheWay) {
  EXPECT_EQ(WhyNot(Accept({}, "x", {{"Content-Encoding", "gzip"}})), Reason::kNotAnObject);
  EXPECT_TRUE(Accept({}, "x", {{"Content-Encoding", "identity"}}));
  EXPECT_TRUE(Accept({}, "x", {{"Content-Encoding", "aws-chunked"}}));
}

TEST(S3Answer, RefusesAPartInsteadOfTheWhole) {
  EXPECT_EQ(WhyNot(Accept({}, "x", {{"Content-Range", "bytes 0-0/9"}}, 206)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(Accept({}, "", {}, 204)), Reason::kNotAnObject);
}

TEST(S3Answer, AcceptsOnlyTheRangeThatWasAskedFor) {
  const std::string ten = "0123456789";
  const auto range = [&](const std::string& text, const std::string& body, unsigned status = 206) {
    return Accept(TenBytesFrom(20), body, {{"Content-Range", text}}, status);
  };
  const auto good = range("bytes 20-29/100", ten);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->size, 10U);
  EXPECT_TRUE(range("bytes 20-29/*", ten));
  EXPECT_EQ(WhyNot(range("bytes 0-9/100", ten)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("bytes 20-29/100", "short")), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("bytes 20-30/100", ten + "x")), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("bytes 29-20/100", ten)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("bytes */100", ten)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("pages 20-29/100", ten)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("", ten)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("bytes 20-29/100", ten, 200)), Reason::kNotAnObject);
  EXPECT_EQ(WhyNot(range("bytes 20-24/25", "01234")), Reason::kWrongLength);
}

TEST(S3Answer, SaysWhatTheCallerMayDoAboutARefusal) {
  struct Case {
    unsigned status;
    std::string code;
    ErrorCode error;
    Reason reason;
  };
  const std::vector<Case> cases{
      {404, "NoSuchKey", ErrorCode::kNotFound, Reason::kNotFound},
      {404, "", ErrorCode::kNotFound, Reason::kNotFound},
      {404, "NoSuchBucket", ErrorCode::kNotFound, Reason::kUnspecified},
      {404, "NoSuchVersion", ErrorCode::kNotFound, Reason::kNotFound},
      {404, "XAdminUserNotFound", ErrorCode::kNotFound, Reason::kUnspecified},
      {403, "AccessDenied", ErrorCode::kPermission, Reason::kAccessDenied},
      {403, "RequestTimeTooSkewed", ErrorCode::kPermission, Reason::kAccessDenied},
      {403, "InvalidObjectState", ErrorCode::kPermission, Reason::kAccessDenied},
      {401, "", ErrorCode::kPermission, Reason::kAccessDenied},
      {400, "ExpiredToken", ErrorCode::kPermission, Reason::kAccessDenied},
      {400, "InvalidToken", ErrorCode::kPermission, Reason::kAccessDenied},
      {400, "RequestTimeout", ErrorCode::kUnavailable, Reason::kTimeout},
      {301, "PermanentRedirect", ErrorCode::kPermission, Reason::kAccessDenied},
      {307, "TemporaryRedirect", ErrorCode::kPermission, Reason::kAccessDenied},
      {408, "", ErrorCode::kUnavailable, Reason::kTimeout},
      {416, "InvalidRange", ErrorCode::kCorrupt, Reason::kWrongLength},
      {418, "", ErrorCode::kCorrupt, Reason::kNotAnObject},
      {429, "", ErrorCode::kUnavailable, Reason::kThrottled},
      {500, "InternalError", ErrorCode::kUnavailable, Reason::kServerError},
      {502, "", ErrorCode::kUnavailable, Reason::kServerError},
      {503, "SlowDown", ErrorCode::kUnavailable, Reason::kThrottled},
      {504, "", ErrorCode::kUnavailable, Reason::kServerError},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::to_string(c.status) + " " + c.code);
    const auto error = RefusedObject(
        Answer(c.status, {}, "<Error><Code>" + c.code + "</Code></Error>"), "bucket b");
    EXPECT_EQ(error.code, c.error);
    EXPECT_EQ(error.reason, c.reason);
    EXPECT_THAT(error.message, HasSubstr("bucket b"));
    EXPECT_THAT(error.message, HasSubstr(std::to_string(c.status)));
    EXPECT_THAT(error.message, HasSubstr(c.code));
  }
}

TEST(S3Answer, NamesWhereTheBucketIs) {
  EXPECT_THAT(RefusedObject(Answer(301, {{"x-amz-bucket-region", "eu-west-1"}}), "b").message,
              HasSubstr("in region eu-west-1"));
  EXPECT_THAT(
      RefusedObject(Answer(301, {}, "<Error><Endpoint>other.example</Endpoint></Error>"), "b")
          .message,
      HasSubstr("at other.example"));
  EXPECT_THAT(RefusedObject(Answer(302, {{"Location", "http://login.example/"}}), "b").message,
              HasSubstr("at http://login.example/"));
}

TEST(S3Answer, BelievesARegionOnlyIfItCanBePartOfAHostName) {
  EXPECT_EQ(BucketRegion(Answer(301, {{"x-amz-bucket-region", "eu-west-1"}})), "eu-west-1");
  EXPECT_EQ(BucketRegion(Answer(400, {}, "<Error><Region>ap-south-1</Region></Error>")),
            "ap-south-1");
  EXPECT_EQ(BucketRegion(Answer(301, {{"x-amz-bucket-region", "evil.example/#"}})), "");
  EXPECT_EQ(BucketRegion(Answer(301)), "");
}

}  // namespace
}  // namespace prewarm::agent
