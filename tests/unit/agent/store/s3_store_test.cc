// The S3 store against a server that misbehaves. What real servers do is tested in
// tests/integration/store.
#include "agent/store/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/async/deadline.h"
#include "tests/fakes/fake_s3.h"
#include "tests/rig/environment.h"
#include "tests/unit/agent/store/loop.h"

namespace prewarm::agent {
namespace {

using rig::Always;
using rig::FakeS3;
using rig::KeyContains;
using rig::RequestNumber;
using rig::S3Fault;
using rig::With;
using std::chrono_literals::operator""ms;
using testing::HasSubstr;

constexpr auto kKey = "vol/chunks/0/0/1_0_300000";

class S3StoreTest : public testing::Test {
 protected:
  S3StoreTest() { s3_.Put(std::string("models/") + kKey, bytes_); }

  std::unique_ptr<ObjectStore> Open(const std::string& bucket = "models",
                                    std::optional<S3Credentials> credentials = std::nullopt) {
    auto location = ParseS3Bucket(s3_.BucketUrl(bucket), With({}));
    return *S3Store::Create(*std::move(location), std::move(credentials), clock_, limits_);
  }

  // One read of the whole object that meets `fault`.
  Error ErrorOf(S3Fault fault, std::size_t space = 1 << 20) {
    s3_.StopFailing();
    s3_.FailWhen(Always(), std::move(fault));
    const auto store = Open();
    auto got = loop_.Read(*store, Whole(kKey), space);
    return got.result ? Error{ErrorCode::kInternal, "no error", Reason::kUnspecified}
                      : got.result.error();
  }

  const std::string bytes_ = SomeBytes(300000);
  FakeS3 s3_;
  SystemClock clock_;
  net::HttpLimits limits_{.connect = 2000ms, .progress = 300ms, .first_byte = 300ms};
  Loop loop_;
};

TEST_F(S3StoreTest, ReadsWholeObjectsAndRangesOverOneKeptConnection) {
  const auto store = Open();
  for (int i = 0; i < 3; ++i) {
    const auto got = loop_.Read(*store, Whole(kKey));
    ASSERT_TRUE(got.result) << got.result.error().message;
    EXPECT_TRUE(got.bytes == bytes_);
    EXPECT_TRUE(got.result->crc32c);
  }
  const auto part = loop_.Read(*store, Range(kKey, 1000, 77));
  ASSERT_TRUE(part.result) << part.result.error().message;
  EXPECT_TRUE(part.bytes == bytes_.substr(1000, 77));
  EXPECT_FALSE(part.result->crc32c);
  EXPECT_EQ(s3_.Requests().back().connection, 1);
}

TEST_F(S3StoreTest, AnEmptyRangeAsksNobody) {
  const auto store = Open();
  EXPECT_TRUE(loop_.Read(*store, Range(kKey, 5, 0)).result);
  EXPECT_TRUE(s3_.Requests().empty());
}

TEST_F(S3StoreTest, ManyReadsAtOnceUseAConnectionEachAndThenKeepThem) {
  const auto store = Open();
  for (int round = 0; round < 2; ++round) {
    for (const auto& got : loop_.ReadAll(*store, std::vector<ReadRequest>(8, Whole(kKey)))) {
      ASSERT_TRUE(got.result) << got.result.error().message;
      EXPECT_TRUE(got.bytes == bytes_);
    }
  }
  int connections = 0;
  for (const auto& request : s3_.Requests())
    connections = std::max(connections, request.connection);
  EXPECT_EQ(connections, 8);
}

TEST_F(S3StoreTest, AFreshConnectionIsFresh) {
  const auto store = Open();
  loop_.Read(*store, Whole(kKey));
  auto request = Whole(kKey);
  request.fresh_connection = true;
  ASSERT_TRUE(loop_.Read(*store, request).result);
  EXPECT_EQ(s3_.Requests().back().connection, 2);
}

TEST_F(S3StoreTest, ReplacesAConnectionThatTheServerClosedMeanwhile) {
  const auto store = Open();
  s3_.FailWhen(RequestNumber(1), S3Fault::HangUp());
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  const auto got = loop_.Read(*store, Whole(kKey));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_TRUE(got.bytes == bytes_);
}

// The close crosses the next request on its way.
TEST_F(S3StoreTest, RepeatsARequestThatAKeptConnectionSwallowed) {
  const auto store = Open();
  s3_.FailWhen(RequestNumber(2), S3Fault::NoAnswer());
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  const auto got = loop_.Read(*store, Whole(kKey));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_EQ(s3_.Requests().size(), 3U);
  EXPECT_EQ(s3_.Requests().back().connection, 2);
}

TEST_F(S3StoreTest, DoesNotRepeatARequestOnAFreshConnection) {
  const auto error = ErrorOf(S3Fault::NoAnswer());
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(error.reason, Reason::kConnection);
  EXPECT_EQ(s3_.Requests().size(), 1U);
}

TEST_F(S3StoreTest, ReadsChunkedBodiesAndBodiesWithoutALength) {
  for (const auto& fault : {S3Fault::Chunked(), S3Fault::NoLength()}) {
    s3_.StopFailing();
    s3_.FailWhen(Always(), fault);
    const auto store = Open();
    for (const std::size_t space : {bytes_.size(), bytes_.size() + 1, bytes_.size() * 2}) {
      const auto got = loop_.Read(*store, Whole(kKey), space);
      ASSERT_TRUE(got.result) << fault.name << ": " << got.result.error().message;
      EXPECT_TRUE(got.bytes == bytes_);
    }
    const auto got = loop_.Read(*store, Whole(kKey), bytes_.size() - 1);
    ASSERT_FALSE(got.result);
    EXPECT_EQ(got.result.error().reason, Reason::kWrongLength);
  }
}

TEST_F(S3StoreTest, NamesEveryKindOfDamage) {
  struct Case {
    S3Fault fault;
    ErrorCode code;
    Reason reason;
  };
  const std::vector<Case> cases{
      {S3Fault::Status(503, "SlowDown"), ErrorCode::kUnavailable, Reason::kThrottled},
      {S3Fault::Status(500), ErrorCode::kUnavailable, Reason::kServerError},
      {S3Fault::Status(403, "AccessDenied"), ErrorCode::kPermission, Reason::kAccessDenied},
      {S3Fault::Status(404, "NoSuchKey"), ErrorCode::kNotFound, Reason::kNotFound},
      {S3Fault::Status(404, "NoSuchBucket"), ErrorCode::kNotFound, Reason::kUnspecified},
      {S3Fault::ResetAfter(0), ErrorCode::kUnavailable, Reason::kConnection},
      {S3Fault::ResetAfter(5000), ErrorCode::kUnavailable, Reason::kConnection},
      {S3Fault::CloseAfter(5000), ErrorCode::kUnavailable, Reason::kConnection},
      {S3Fault::StallAfter(0), ErrorCode::kTimeout, Reason::kTimeout},
      {S3Fault::StallAfter(5000), ErrorCode::kTimeout, Reason::kTimeout},
      {S3Fault::LengthOff(7), ErrorCode::kUnavailable, Reason::kConnection},
      {S3Fault::Longer(1 << 20), ErrorCode::kCorrupt, Reason::kWrongLength},
      {S3Fault::HtmlPage(), ErrorCode::kCorrupt, Reason::kNotAnObject},
      {S3Fault::ErrorWith200(), ErrorCode::kCorrupt, Reason::kNotAnObject},
      {S3Fault::Gzip(), ErrorCode::kCorrupt, Reason::kNotAnObject},
      {S3Fault::NotHttp(), ErrorCode::kCorrupt, Reason::kNotAnObject},
  };
  for (const auto& c : cases) {
    const auto error = ErrorOf(c.fault);
    SCOPED_TRACE(c.fault.name + ": " + error.message);
    EXPECT_EQ(CodeName(error.code), CodeName(c.code));
    EXPECT_EQ(ReasonName(error.reason), ReasonName(c.reason));
  }
}

TEST_F(S3StoreTest, RefusesAnswersToRangesThatWereNotAskedFor) {
  for (const auto& fault : {S3Fault::WrongRange(), S3Fault::IgnoreRange(), S3Fault::Shorter(1)}) {
    s3_.StopFailing();
    s3_.FailWhen(Always(), fault);
    const auto store = Open();
    const auto got = loop_.Read(*store, Range(kKey, 100, 10));
    ASSERT_FALSE(got.result) << fault.name;
    EXPECT_EQ(got.result.error().reason, Reason::kNotAnObject) << fault.name;
  }
}

TEST_F(S3StoreTest, SaysSoWhenARangeReachesBeyondTheObject) {
  const auto store = Open();
  const auto across = loop_.Read(*store, Range(kKey, bytes_.size() - 5, 10));
  ASSERT_FALSE(across.result);
  EXPECT_EQ(across.result.error().reason, Reason::kWrongLength);
  const auto beyond = loop_.Read(*store, Range(kKey, bytes_.size(), 10));
  ASSERT_FALSE(beyond.result);
  EXPECT_EQ(beyond.result.error().reason, Reason::kWrongLength);
}

TEST_F(S3StoreTest, ASlowServerIsWaitedForAsLongAsBytesCome) {
  s3_.FailWhen(Always(), S3Fault::Slow(bytes_.size() / 6, 80ms));  // 480 ms; the limit is 300 ms
  const auto store = Open();
  const auto got = loop_.Read(*store, Whole(kKey));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_TRUE(got.bytes == bytes_);
}

// After a lie about the length the rest of the body must not pass for the next answer.
TEST_F(S3StoreTest, NeverReadsLeftoversOfOneAnswerAsTheNext) {
  const auto store = Open();
  s3_.FailWhen(RequestNumber(1), S3Fault::LengthOff(-1000));
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  const auto got = loop_.Read(*store, Whole(kKey));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_TRUE(got.bytes == bytes_);
}

TEST_F(S3StoreTest, KeepsTheConnectionAfterARefusal) {
  const auto store = Open();
  s3_.FailWhen(RequestNumber(1), S3Fault::Status(503, "SlowDown"));
  EXPECT_FALSE(loop_.Read(*store, Whole(kKey)).result);
  EXPECT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  EXPECT_EQ(s3_.Requests().back().connection, 1);
}

TEST_F(S3StoreTest, EncodesKeysAsTheyAreSigned) {
  s3_.Put("models/vol/a b+c/%41/ü", "odd");
  const auto store = Open();
  const auto got = loop_.Read(*store, Whole("vol/a b+c/%41/ü"));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_EQ(got.bytes, "odd");
  EXPECT_EQ(s3_.Requests().back().target, "/models/vol/a%20b%2Bc/%2541/%C3%BC");
}

TEST_F(S3StoreTest, SignsUnlessThereAreNoCredentials) {
  const auto anonymous = Open();
  ASSERT_TRUE(loop_.Read(*anonymous, Whole(kKey)).result);
  EXPECT_FALSE(s3_.Requests().back().headers.contains("authorization"));
  const auto named = Open("models", S3Credentials{"id", Secret("secret"), Secret("token")});
  ASSERT_TRUE(loop_.Read(*named, Whole(kKey)).result);
  const auto headers = s3_.Requests().back().headers;
  EXPECT_THAT(headers.at("authorization"), HasSubstr("Credential=id/"));
  EXPECT_EQ(headers.at("x-amz-security-token"), "token");
  EXPECT_THAT(headers.at("host"), HasSubstr(std::to_string(s3_.port())));
}

TEST_F(S3StoreTest, TellsAMissingBucketFromAMissingObject) {
  const auto store = Open();
  const auto no_key = loop_.Read(*store, Whole("vol/none"));
  ASSERT_FALSE(no_key.result);
  EXPECT_EQ(no_key.result.error().reason, Reason::kNotFound);
  const auto other = Open("elsewhere");
  const auto no_bucket = loop_.Read(*other, Whole(kKey));
  ASSERT_FALSE(no_bucket.result);
  EXPECT_EQ(no_bucket.result.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(no_bucket.result.error().reason, Reason::kUnspecified);
}

TEST_F(S3StoreTest, SaysThatNobodyListens) {
  S3Location location;
  {
    const FakeS3 gone;
    location = *ParseS3Bucket(gone.BucketUrl("models"), With({}));
  }
  const auto store = *S3Store::Create(location, std::nullopt, clock_, limits_);
  const auto got = loop_.Read(*store, Whole(kKey));
  ASSERT_FALSE(got.result);
  EXPECT_EQ(got.result.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(got.result.error().message, HasSubstr("127.0.0.1:" + std::to_string(location.port)));
}

// An Amazon bucket whose region was guessed wrong. That regions are parts of host names is imitated
// by addresses: region "0" is at 127.0.0.1 and region "5" at 127.5.0.1.
class S3RegionTest : public S3StoreTest {
 protected:
  S3RegionTest() : other_({.port = s3_.port(), .address = "127.5.0.1", .root = {}}) {
    other_.Put(std::string("models/") + kKey, bytes_);
    s3_.FailWhen(Always(), S3Fault::Redirect("5"));
  }

  std::unique_ptr<ObjectStore> OpenAmazon() {
    auto location = *ParseS3Bucket(s3_.BucketUrl("models"), With({}));
    location.region = "0";
    location.aws = true;
    return *S3Store::Create(location, S3Credentials{"id", Secret("secret"), Secret()}, clock_,
                            limits_);
  }

  FakeS3 other_;
};

TEST_F(S3RegionTest, FollowsTheBucketToItsRegionOnceForAllOverlappingReads) {
  const auto store = OpenAmazon();
  for (const auto& got : loop_.ReadAll(*store, std::vector<ReadRequest>(6, Whole(kKey)))) {
    ASSERT_TRUE(got.result) << got.result.error().message;
    EXPECT_TRUE(got.bytes == bytes_);
  }
  EXPECT_EQ(s3_.Requests().size(), 6U);
  EXPECT_EQ(other_.Requests().size(), 6U);
  EXPECT_THAT(other_.Requests().back().headers.at("authorization"), HasSubstr("/5/s3/"));
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  EXPECT_EQ(s3_.Requests().size(), 6U);
}

TEST_F(S3RegionTest, DoesNotRunInCirclesBetweenRegions) {
  other_.FailWhen(Always(), S3Fault::Redirect("0"));
  const auto store = OpenAmazon();
  const auto got = loop_.Read(*store, Whole(kKey));
  ASSERT_FALSE(got.result);
  EXPECT_EQ(got.result.error().code, ErrorCode::kPermission);
  EXPECT_EQ(s3_.Requests().size() + other_.Requests().size(), 2U);
}

TEST_F(S3StoreTest, AStopEndsAReadAtOnce) {
  s3_.FailWhen(Always(), S3Fault::StallAfter(5000));
  limits_.progress = std::chrono::hours(1);
  const auto store = Open();
  Got got{ObjectBytes{}, std::string(1 << 20, '\0')};
  TaskGroup group(loop_.context().get_executor());
  TaskGroup stopper(loop_.context().get_executor());
  const auto read = [](ObjectStore& the_store, Got& into) -> Task<void> {
    into.result =
        co_await the_store.Read(Whole(kKey), std::as_writable_bytes(std::span(into.bytes)));
  };
  const auto stop = [](FakeS3& server, TaskGroup& readers) -> Task<void> {
    while (server.Fired().empty()) co_await SleepFor(1ms);
    readers.Stop();
  };
  group.Spawn("read", read(*store, got));
  stopper.Spawn("stop", stop(s3_, group));
  loop_.context().restart();
  loop_.context().run();
  ASSERT_FALSE(got.result);
  EXPECT_EQ(got.result.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace prewarm::agent
