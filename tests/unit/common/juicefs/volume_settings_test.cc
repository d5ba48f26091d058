#include "common/juicefs/volume_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/juicefs/attribute.h"
#include "common/juicefs/slice.h"
#include "tests/unit/common/juicefs/bytes.h"
#include "tests/unit/common/juicefs/real_volumes.h"

namespace prewarm::juicefs {
namespace {

using testing::HasSubstr;

constexpr std::string_view kUuid = "12345678-9abc-4def-8012-3456789abcde";
constexpr std::string_view kSealed = "AAECAwQFBgcICQoL6XN8Zs+oZTqu1tbtFzwdK/zrvZGA0OQMsrk=";

// A setting with the given members beside the least that every volume has.
std::string Setting(const std::string& members) {
  return R"({"Name": "models", "UUID": ")" + std::string(kUuid) +
         R"(", "Storage": "S3", "Bucket": "http://127.0.0.1:9000/bucket", "MetaVersion": 1)" +
         (members.empty() ? "" : ", " + members) + "}";
}

std::string ErrorOf(const std::string& json, ErrorCode code) {
  const auto settings = ParseVolumeSettings(json);
  if (settings) return "no error";
  EXPECT_EQ(settings.error().code, code) << settings.error().message;
  return settings.error().message;
}

TEST(OpenSecret, OpensTheClientsVector) {
  const auto secret = OpenSecret(kSealed, kUuid);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->Reveal(), "minioadmin");
}

TEST(OpenSecret, RefusesEveryDamage) {
  std::vector<std::string> damaged{"",
                                   "=",
                                   "====",
                                   "AAAA",
                                   "not base64",
                                   std::string(kSealed) + "A",
                                   std::string(kSealed) + "AAAA",
                                   std::string(100, 'A')};
  for (std::size_t i = 0; i < kSealed.size(); ++i) {
    damaged.emplace_back(kSealed.substr(0, i));
    damaged.emplace_back(kSealed);
    damaged.back()[i] = kSealed[i] == 'B' ? 'C' : 'B';
  }
  for (const std::string& text : damaged) {
    const auto secret = OpenSecret(text, kUuid);
    ASSERT_FALSE(secret) << text;
    EXPECT_EQ(secret.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(OpenSecret(kSealed, "12345678-9abc-4def-8012-3456789abcdf"));
}

TEST(VolumeSettings, ReadsEveryField) {
  const auto settings = ParseVolumeSettings(
      Setting(R"("AccessKey": "minio", "SecretKey": ")" + std::string(kSealed) +
              R"(", "SessionToken": ")" + std::string(kSealed) +
              R"(", "KeyEncrypted": true, "BlockSize": 1024, "Compression": "LZ4", "Shards": 7,
         "HashPrefix": true, "DownloadLimit": 80, "TrashDays": 3, "EncryptAlgo": "aes256gcm-rsa")"));
  ASSERT_TRUE(settings) << settings.error().message;
  VolumeSettings expected;
  expected.name = "models";
  expected.uuid = kUuid;
  expected.storage = "s3";
  expected.bucket = "http://127.0.0.1:9000/bucket";
  expected.access_key = "minio";
  expected.secret_key = Secret("minioadmin");
  expected.session_token = Secret("minioadmin");
  expected.block_size = 1 << 20;
  expected.compression = Compression::kLz4;
  expected.shards = 7;
  expected.hash_prefix = true;
  expected.download_limit = 10'000'000;
  expected.meta_version = 1;
  expected.trash_days = 3;
  EXPECT_EQ(*settings, expected);
}

TEST(VolumeSettings, FillsInWhatTheClientLeavesOut) {
  for (const char* members : {"", R"("BlockSize": null, "Compression": null, "Shards": null)"}) {
    const auto settings = ParseVolumeSettings(Setting(members));
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->block_size, 4U << 20);
    EXPECT_EQ(settings->compression, Compression::kNone);
    EXPECT_EQ(settings->encryption_algorithm, EncryptionAlgorithm::kAes256GcmRsa);
    EXPECT_EQ(settings->shards, 0U);
    EXPECT_FALSE(settings->hash_prefix);
    EXPECT_TRUE(settings->secret_key.empty());
    EXPECT_FALSE(settings->encrypt_key_withheld);
  }
}

TEST(VolumeSettings, TakesSecretsInTheClearWhereTheyAreNotSealed) {
  const auto settings =
      ParseVolumeSettings(Setting(R"("SecretKey": "plain", "EncryptKey": "PEM")"));
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->secret_key.Reveal(), "plain");
  EXPECT_EQ(settings->encrypt_key.Reveal(), "PEM");
}

TEST(VolumeSettings, NamesTheFieldThatIsWrong) {
  for (const auto& [members, field] : std::vector<std::pair<std::string, std::string>>{
           {R"("BlockSize": 0)", "BlockSize"},
           {R"("BlockSize": 32)", "BlockSize"},
           {R"("BlockSize": 32768)", "BlockSize"},
           {R"("BlockSize": 4095)", "BlockSize"},
           {R"("BlockSize": "4096")", "BlockSize"},
           {R"("BlockSize": 4096.5)", "BlockSize"},
           {R"("BlockSize": -4096)", "BlockSize"},
           {R"("BlockSize": 18446744073709551615)", "BlockSize"},
           {R"("Shards": 257)", "Shards"},
           {R"("Shards": -1)", "Shards"},
           {R"("HashPrefix": "yes")", "HashPrefix"},
           {R"("Compression": 1)", "Compression"},
           {R"("AccessKey": [])", "AccessKey"},
           {R"("DownloadLimit": -5)", "DownloadLimit"},
           {R"("TrashDays": "one")", "TrashDays"},
           {R"("KeyEncrypted": 1)", "KeyEncrypted"},
           {R"("SecretKey": 7)", "SecretKey"},
           {R"("SecretKey": "garbage", "KeyEncrypted": true)", "SecretKey"}}) {
    EXPECT_THAT(ErrorOf(Setting(members), ErrorCode::kCorrupt), HasSubstr(field)) << members;
  }
}

TEST(VolumeSettings, RefusesTextThatIsNoSetting) {
  for (const char* text :
       {"", "{", "[]", "null", "1", "{}", R"({"Name": "x"})", "{\"Name\": \"\xff\"}"}) {
    EXPECT_NE(ErrorOf(text, ErrorCode::kCorrupt), "no error") << text;
  }
}

TEST(VolumeSettings, LetsNoNameOrUuidBecomeAPath) {
  auto with = [](const std::string& name, const std::string& uuid) {
    return R"({"Name": ")" + name + R"(", "UUID": ")" + uuid + R"("})";
  };
  const std::string uuid(kUuid);
  for (const char* name : {"", ".", "..", "../etc", "a/b", "a b", ".hidden", "a\\u0000b"}) {
    EXPECT_THAT(ErrorOf(with(name, uuid), ErrorCode::kCorrupt), HasSubstr("Name")) << name;
  }
  EXPECT_THAT(ErrorOf(with("models", "../../../../etc/passwd-xxxxxxxxxxxxxx"), ErrorCode::kCorrupt),
              HasSubstr("UUID"));
  EXPECT_THAT(ErrorOf(with("models", ""), ErrorCode::kCorrupt), HasSubstr("UUID"));
}

TEST(VolumeSettings, RefusesVolumesItDoesNotUnderstand) {
  constexpr auto kRefused = ErrorCode::kInvalidArgument;
  EXPECT_THAT(ErrorOf(R"({"MetaVersion": 2})", kRefused), HasSubstr("version 2"));
  EXPECT_THAT(ErrorOf(Setting(R"("Compression": "brotli")"), kRefused), HasSubstr("brotli"));
  EXPECT_THAT(ErrorOf(Setting(R"("EncryptKey": "PEM", "EncryptAlgo": "rot13")"), kRefused),
              HasSubstr("rot13"));
  EXPECT_THAT(ErrorOf(Setting(R"("EncryptKey": "PEM", "EncryptAlgo": "sm4gcm")"), kRefused),
              HasSubstr("sm4gcm"));
  EXPECT_THAT(ErrorOf(Setting(R"("SecretKey": "x", "KeyEncrypted": true, "EncryptAlgo": "sm4gcm")"),
                      kRefused),
              HasSubstr("sm4gcm"));
}

TEST(VolumeSettings, IgnoresTheAlgorithmOfAVolumeThatIsNotEncrypted) {
  for (const char* algorithm : {"sm4gcm", "rot13"}) {
    EXPECT_TRUE(ParseVolumeSettings(Setting(R"("EncryptAlgo": ")" + std::string(algorithm) + '"')));
  }
}

TEST(VolumeSettings, SaysWhatToDoAboutRemovedSecrets) {
  for (const std::string field : {"SecretKey", "SessionToken", "EncryptKey"}) {
    const std::string json = Setting('"' + field + R"(": "removed", "KeyEncrypted": true)");
    EXPECT_THAT(ErrorOf(json, ErrorCode::kInvalidArgument),
                testing::AllOf(HasSubstr(field), HasSubstr("juicefs config")));
  }
}

TEST(VolumeSettings, LeavesMaskedSecretsEmptyButKnowsThatBlocksAreEncrypted) {
  const auto settings = ParseVolumeSettings(
      Setting(R"("SecretKey": "removed", "EncryptKey": "removed", "KeyEncrypted": true)"), false);
  ASSERT_TRUE(settings);
  EXPECT_TRUE(settings->secret_key.empty());
  EXPECT_TRUE(settings->encrypt_key.empty());
  EXPECT_TRUE(settings->encrypt_key_withheld);
}

TEST(VolumeSettings, ReadsWhatTheRealClientWrote) {
  for (const real::Volume* volume : real::kAll) {
    const auto settings = ParseVolumeSettings(volume->setting);
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->storage, "file");
    EXPECT_EQ(settings->bucket, "/var/jfs/");
    EXPECT_EQ(settings->block_size, 4U << 20);
    EXPECT_EQ(settings->hash_prefix, volume->hash_prefix);
    EXPECT_EQ(settings->meta_version, 1);
  }
  EXPECT_EQ(ParseVolumeSettings(real::kLz4.setting)->compression, Compression::kLz4);
  EXPECT_EQ(ParseVolumeSettings(real::kZstd.setting)->compression, Compression::kZstd);
  EXPECT_EQ(ParseVolumeSettings(real::kAesLegacyKey.setting)->encrypt_key.Reveal(),
            real::kLegacyProtectedKey);
  EXPECT_EQ(ParseVolumeSettings(real::kChacha20Lz4Pkcs8Key.setting)->encryption_algorithm,
            EncryptionAlgorithm::kChacha20Rsa);
}

TEST(RealRecords, OfOneSmallFile) {
  const auto attribute = ParseAttribute(FromHex(real::kFileAttribute));
  ASSERT_TRUE(attribute);
  EXPECT_EQ(attribute->type, FileType::kFile);
  EXPECT_EQ(attribute->mode, 0644);
  EXPECT_EQ(attribute->nlink, 1U);
  EXPECT_EQ(attribute->length, 100U);
  EXPECT_EQ(attribute->parent, kRootInode);
  const auto slice = ParseSliceRecord(FromHex(real::kFileSlice));
  ASSERT_TRUE(slice);
  EXPECT_EQ(*slice, (SliceRecord{0, SliceId(1), 100, 0, 100}));
  const auto entry = ParseDirectoryEntry(FromHex(real::kFileEntry));
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, (DirectoryEntry{FileType::kFile, Inode(2)}));
}

}  // namespace
}  // namespace prewarm::juicefs
