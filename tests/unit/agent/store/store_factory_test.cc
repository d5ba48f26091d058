#include "agent/store/store_factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/store/sharded_store.h"
#include "tests/fakes/fake_s3.h"
#include "tests/rig/environment.h"
#include "tests/rig/temp_dir.h"
#include "tests/unit/agent/store/loop.h"

namespace prewarm::agent {
namespace {

using rig::Variables;
using rig::With;
using testing::HasSubstr;

class StoreFactory : public testing::Test {
 protected:
  ~StoreFactory() override { pool_.join(); }

  Result<std::unique_ptr<ObjectStore>> Make(const StoreOptions& options) {
    return MakeObjectStore(options, pool_, clock_);
  }
  std::string WhyNot(const StoreOptions& options) {
    const auto store = Make(options);
    if (store) return "no error";
    EXPECT_EQ(store.error().code, ErrorCode::kInvalidArgument);
    return store.error().message;
  }
  // The Authorization header of a read from the fake, empty if it was not signed.
  std::string SignatureWith(StoreOptions options) {
    s3_.Put("models/k", "v");
    options.bucket = s3_.BucketUrl("models");
    auto store = Make(options);
    if (!store) return store.error().message;
    EXPECT_TRUE(loop_.Read(**store, Whole("k")).result);
    const auto headers = s3_.Requests().back().headers;
    const auto found = headers.find("authorization");
    return found == headers.end() ? "" : found->second;
  }

  boost::asio::thread_pool pool_{1};
  SystemClock clock_;
  rig::FakeS3 s3_;
  Loop loop_;
};

TEST_F(StoreFactory, TakesTheVolumesSettingsAndLetsTheEnvironmentOverrideTheKeys) {
  juicefs::VolumeSettings settings;
  settings.storage = "s3";
  settings.bucket = "http://s3.example/models";
  settings.access_key = "old";
  settings.secret_key = Secret("old secret");
  settings.session_token = Secret("old token");
  settings.shards = 3;
  const auto plain = StoreOptionsFor(settings, With({{"SECRET_KEY", "alone"}}));
  EXPECT_EQ(plain.storage, "s3");
  EXPECT_EQ(plain.bucket, "http://s3.example/models");
  EXPECT_EQ(plain.access_key, "old");
  EXPECT_EQ(plain.secret_key.Reveal(), "old secret");
  EXPECT_EQ(plain.session_token.Reveal(), "old token");
  EXPECT_EQ(plain.shards, 3U);
  const auto other =
      StoreOptionsFor(settings, With({{"ACCESS_KEY", "new"}, {"SECRET_KEY", "key"}}));
  EXPECT_EQ(other.access_key, "new");
  EXPECT_EQ(other.secret_key.Reveal(), "key");
  EXPECT_TRUE(other.session_token.empty());  // it belongs to the old key
}

TEST_F(StoreFactory, SignsWithTheKeyThatIsFoundFirst) {
  rig::TempDir home;
  std::filesystem::create_directory(home / ".aws");
  std::ofstream(home / ".aws/credentials")
      << "[default]\naws_access_key_id = fromfile\naws_secret_access_key = s\n";
  const Variables file{{"HOME", home.path().string()}};
  Variables all = file;
  all["AWS_ACCESS_KEY_ID"] = "fromaws";
  all["AWS_SECRET_ACCESS_KEY"] = "s";
  Variables minio = all;
  minio["MINIO_ACCESS_KEY"] = "fromminio";
  minio["MINIO_SECRET_KEY"] = "s";

  const auto options = [](std::string storage, std::string key, const Variables& variables) {
    StoreOptions made;
    made.storage = std::move(storage);
    made.access_key = std::move(key);
    if (!made.access_key.empty()) made.secret_key = Secret("s");
    made.environment = With(variables);
    return made;
  };
  EXPECT_EQ(SignatureWith(options("s3", "anonymous", minio)), "");
  EXPECT_THAT(SignatureWith(options("s3", "given", minio)), HasSubstr("=given/"));
  EXPECT_THAT(SignatureWith(options("s3", "", minio)), HasSubstr("=fromaws/"));
  EXPECT_THAT(SignatureWith(options("s3", "", file)), HasSubstr("=fromfile/"));
  EXPECT_THAT(SignatureWith(options("minio", "", minio)), HasSubstr("=fromminio/"));
  EXPECT_THAT(SignatureWith(options("minio", "given", minio)), HasSubstr("=given/"));
}

TEST_F(StoreFactory, SaysWhichCredentialsItLookedFor) {
  StoreOptions options;
  options.storage = "s3";
  options.bucket = "http://s3.example/models";
  options.environment = With({{"HOME", "/nowhere"}});
  const auto why = WhyNot(options);
  EXPECT_THAT(why, HasSubstr("ACCESS_KEY and SECRET_KEY"));
  EXPECT_THAT(why, HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(why, HasSubstr("/nowhere/.aws/credentials"));
}

TEST_F(StoreFactory, RefusesKeysThatNoHeaderCanCarryWithoutPrintingSecrets) {
  StoreOptions options;
  options.storage = "s3";
  options.bucket = "http://s3.example/models";
  options.environment = With({});
  options.access_key = "key\n";
  options.secret_key = Secret("hush");
  EXPECT_THAT(WhyNot(options), HasSubstr("line break"));
  options.access_key = "key";
  options.session_token = Secret("tok\r\nHost: evil");
  EXPECT_THAT(WhyNot(options), testing::AllOf(HasSubstr("line break"), Not(HasSubstr("evil"))));
  options.session_token = Secret();
  options.secret_key = Secret();
  EXPECT_THAT(WhyNot(options), HasSubstr("no secret key"));
}

TEST_F(StoreFactory, SaysWhatIsSupported) {
  StoreOptions options;
  options.environment = With({});
  options.storage = "oss";
  EXPECT_THAT(WhyNot(options),
              testing::AllOf(HasSubstr("\"oss\""), HasSubstr("s3, minio, gs and file")));
}

TEST_F(StoreFactory, ReadsGoogleBucketsByTheEmulatorOrSaysWhatIsWrongWithTheCredentials) {
  s3_.Put("models/k", "v");
  StoreOptions options;
  options.storage = "gs";
  options.bucket = "gs://models.europe-west4";
  options.access_key = "ignored";
  options.environment =
      With({{"STORAGE_EMULATOR_HOST", "127.0.0.1:" + std::to_string(s3_.port())}});
  auto store = Make(options);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(loop_.Read(**store, Whole("k")).bytes, "v");
  EXPECT_FALSE(s3_.Requests().back().headers.contains("authorization"));
  options.environment = With({{"GOOGLE_APPLICATION_CREDENTIALS", "/no/such.json"}});
  EXPECT_THAT(WhyNot(options), HasSubstr("/no/such.json"));
}

TEST_F(StoreFactory, ReportsTlsFilesThatCannotBeUsed) {
  StoreOptions options;
  options.storage = "s3";
  options.bucket = "https://s3.example/models?ca-certs=%2Fno%2Fsuch%20file.pem";
  options.access_key = "anonymous";
  options.environment = With({});
  const auto store = Make(options);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(store.error().message, HasSubstr("/no/such file.pem"));
}

TEST_F(StoreFactory, SpreadsShardedVolumesByTheHashOfTheWholeKey) {
  rig::TempDir folder;
  // FNV-1a (32 bit) of "vol/a" is 0xdb7d738a and of "vol/b" 0xda7d71f7: shards 0 and 1 of 2.
  for (const auto* shard : {"jfs0", "jfs1"}) {
    std::filesystem::create_directories(folder.path() / shard / "vol");
    for (const auto* name : {"a", "b"})
      std::ofstream(folder.path() / shard / "vol" / name) << shard;
  }
  StoreOptions options;
  options.storage = "file";
  options.bucket = folder / "jfs%d/";
  options.shards = 2;
  options.environment = With({});
  auto store = Make(options);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(loop_.Read(**store, Whole("vol/a")).bytes, "jfs0");
  EXPECT_EQ(loop_.Read(**store, Whole("vol/b")).bytes, "jfs1");
  options.bucket = folder / "jfs/";
  EXPECT_THAT(WhyNot(options), HasSubstr("%d"));
}

}  // namespace
}  // namespace prewarm::agent
