// A Google bucket with tokens, in front of servers that misbehave: a fake store that speaks the
// same protocol, and a fake metadata server, which no machine of ours has. What a real server of
// buckets does is tested in tests/e2e/test_gcs.py.
#include "agent/store/gcs_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/fakes/fake_s3.h"
#include "tests/rig/environment.h"
#include "tests/unit/agent/store/loop.h"

namespace prewarm::agent {
namespace {

using rig::FakeS3;
using rig::KeyContains;
using rig::S3Fault;
using rig::With;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

S3Location At(std::string host, std::uint16_t port, std::string bucket, bool tls) {
  S3Location location;
  location.tls = tls;
  location.host = std::move(host);
  location.port = port;
  location.bucket = std::move(bucket);
  return location;
}

TEST(GcsBucket, IsWhatStandsBeforeTheFirstDot) {
  for (const auto* text : {"gs://models", "models", "gs://models.europe-west4", "gs://models/"}) {
    const auto location = ParseGcsBucket(text, With({}));
    ASSERT_TRUE(location) << text;
    EXPECT_EQ(*location, At("storage.googleapis.com", 443, "models", true)) << text;
  }
  for (const auto* text : {"", "gs://", "gs://.x", "s3://models", "https://models"}) {
    const auto location = ParseGcsBucket(text, With({}));
    ASSERT_FALSE(location) << text;
    EXPECT_EQ(location.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(GcsBucket, MayLieInAnEmulator) {
  const auto at = [](const std::string& emulator) {
    return ParseGcsBucket("gs://b", With({{"STORAGE_EMULATOR_HOST", emulator}}));
  };
  EXPECT_EQ(*at("127.0.0.1:4443"), At("127.0.0.1", 4443, "b", false));
  EXPECT_EQ(*at("http://emulator:80/"), At("emulator", 80, "b", false));
  EXPECT_EQ(*at("https://emulator"), At("emulator", 443, "b", true));
  for (const auto* wrong : {":80", "host:", "host:x", "host:0", "http://"}) {
    const auto location = at(wrong);
    ASSERT_FALSE(location) << wrong;
    EXPECT_THAT(location.error().message, HasSubstr("STORAGE_EMULATOR_HOST")) << wrong;
  }
}

constexpr const char* kToken = "computeMetadata/v1/instance/service-accounts/default/token";
constexpr const char* kKey = "vol/chunks/0/0/1_0_300000";

class GcsStoreTest : public testing::Test {
 protected:
  GcsStoreTest() {
    store_.Put(std::string("models/") + kKey, bytes_);
    GiveOut("first", 3600);
  }

  void GiveOut(const std::string& token, int seconds) {
    metadata_.Put(kToken, R"({"access_token": ")" + token + R"(", "expires_in": )" +
                              std::to_string(seconds) + R"(, "token_type": "Bearer"})");
  }
  std::unique_ptr<ObjectStore> Open() {
    auto tokens = std::make_unique<GoogleTokens>(MetadataServer{"127.0.0.1", metadata_.port()},
                                                 cache_, clock_, limits_);
    return *GcsStore::Create(At("127.0.0.1", store_.port(), "models", false), std::move(tokens),
                             limits_);
  }
  // The tokens that the store was shown, in order, each once if it comes again and again.
  std::vector<std::string> Shown() const {
    std::vector<std::string> shown;
    for (const auto& request : store_.Requests()) {
      const auto found = request.headers.find("authorization");
      shown.push_back(found == request.headers.end() ? "" : found->second);
    }
    const auto rest = std::ranges::unique(shown);
    shown.erase(rest.begin(), rest.end());
    return shown;
  }
  std::size_t Asked() const { return metadata_.Requests().size(); }

  const std::string bytes_ = SomeBytes(300000);
  FakeS3 store_;
  FakeS3 metadata_;
  class TestClock final : public Clock {
   public:
    [[nodiscard]] SteadyTime Now() const override { return now; }
    [[nodiscard]] WallTime WallNow() const override { return WallTime(1'800'000'000s); }
    SteadyTime now{1000s};
  } clock_;
  std::shared_ptr<GoogleTokenCache> cache_ = std::make_shared<GoogleTokenCache>();
  net::HttpLimits limits_{.connect = 2000ms, .progress = 300ms, .first_byte = 300ms};
  Loop loop_;
};

TEST_F(GcsStoreTest, ReadsWithOneTokenForAllReadsAndStores) {
  const auto one = Open();
  for (const auto& got : loop_.ReadAll(*one, std::vector<ReadRequest>(8, Whole(kKey)))) {
    ASSERT_TRUE(got.result) << got.result.error().message;
    EXPECT_TRUE(got.bytes == bytes_);
    EXPECT_TRUE(got.result->crc32c);
  }
  const auto other = Open();
  EXPECT_EQ(loop_.Read(*other, Range(kKey, 1000, 77)).bytes, bytes_.substr(1000, 77));
  EXPECT_THAT(Shown(), testing::ElementsAre("Bearer first"));
  EXPECT_EQ(Asked(), 1U);
  EXPECT_EQ(metadata_.Requests().front().headers.at("metadata-flavor"), "Google");
}

TEST_F(GcsStoreTest, ReplacesATokenBeforeItEnds) {
  const auto store = Open();
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  GiveOut("second", 3600);
  clock_.now += 3539s;
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  clock_.now += 1s;
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  EXPECT_THAT(Shown(), testing::ElementsAre("Bearer first", "Bearer second"));
}

TEST_F(GcsStoreTest, ReplacesATokenThatTheStoreDoesNotTakeOnce) {
  const auto store = Open();
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  GiveOut("second", 3600);
  store_.FailWhen(KeyContains("chunks"), S3Fault::Status(401, "AuthenticationRequired"), 1);
  ASSERT_TRUE(loop_.Read(*store, Whole(kKey)).result);
  EXPECT_THAT(Shown(), testing::ElementsAre("Bearer first", "Bearer second"));
  store_.FailWhen(KeyContains("chunks"), S3Fault::Status(401, "AuthenticationRequired"));
  const auto before = store_.Requests().size();
  const auto refused = loop_.Read(*store, Whole(kKey));
  ASSERT_FALSE(refused.result);
  EXPECT_EQ(refused.result.error().code, ErrorCode::kPermission);
  EXPECT_EQ(store_.Requests().size(), before + 2);
}

TEST_F(GcsStoreTest, SaysWhyThereIsNoTokenAndAsksNotAgainForASecond) {
  const auto store = Open();
  metadata_.FailWhen(rig::Always(), S3Fault::Status(503, "later"));
  for (const auto& got : loop_.ReadAll(*store, std::vector<ReadRequest>(8, Whole(kKey)))) {
    ASSERT_FALSE(got.result);
    EXPECT_EQ(got.result.error().code, ErrorCode::kUnavailable);
  }
  EXPECT_EQ(Asked(), 1U);
  EXPECT_TRUE(store_.Requests().empty());
  metadata_.StopFailing();
  clock_.now += 1s;
  EXPECT_TRUE(loop_.Read(*store, Whole(kKey)).result);

  cache_->Put(Secret("gone"), clock_.now);
  metadata_.FailWhen(rig::Always(), S3Fault::Status(404, "none"));
  const auto none = loop_.Read(*store, Whole(kKey));
  ASSERT_FALSE(none.result);
  EXPECT_EQ(none.result.error().code, ErrorCode::kPermission);
  EXPECT_THAT(none.result.error().message, HasSubstr("Workload Identity"));
}

TEST_F(GcsStoreTest, TellsAMissingObjectFromAMissingBucket) {
  const auto store = Open();
  const auto missing = loop_.Read(*store, Whole("vol/other"));
  ASSERT_FALSE(missing.result);
  EXPECT_EQ(missing.result.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.result.error().reason, Reason::kNotFound);
  EXPECT_THAT(missing.result.error().message, HasSubstr("gs bucket models"));
  store_.FailWhen(rig::Always(), S3Fault::Status(404, "NoSuchBucket"));
  EXPECT_EQ(loop_.Read(*store, Whole(kKey)).result.error().reason, Reason::kUnspecified);
}

}  // namespace
}  // namespace prewarm::agent
