#include "common/juicefs/block_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/juicefs/block.h"
#include "tests/unit/common/juicefs/bytes.h"
#include "tests/unit/common/juicefs/object_maker.h"
#include "tests/unit/common/juicefs/real_volumes.h"

namespace prewarm::juicefs {
namespace {

using testing::HasSubstr;

enum class Packing { kPlain, kAes, kChacha };

VolumeSettings Settings(Compression compression, Packing packing) {
  VolumeSettings settings;
  settings.compression = compression;
  if (packing != Packing::kPlain) settings.encrypt_key = Secret(std::string(real::kPkcs8Key));
  if (packing == Packing::kChacha) {
    settings.encryption_algorithm = EncryptionAlgorithm::kChacha20Rsa;
  }
  return settings;
}

BlockCodec Codec(const VolumeSettings& settings, std::string_view passphrase = "") {
  auto codec = BlockCodec::Create(settings, Secret(std::string(passphrase)));
  if (!codec) throw std::runtime_error(codec.error().message);
  return *std::move(codec);
}

std::string Object(std::string_view plain, const VolumeSettings& settings) {
  std::string packed = Compressed(plain, settings.compression);
  if (settings.encrypt_key.empty()) return packed;
  return Encrypted(packed, settings.encryption_algorithm, real::kPkcs8Key);
}

// What stands in the block after decoding; the guard around it catches a write outside of it.
Result<std::string> Decoded(const BlockCodec& codec, std::string_view object, std::size_t length) {
  constexpr std::size_t kGuard = 64;
  std::vector<std::byte> scratch = Bytes(object);
  std::vector<std::byte> room(length + 2 * kGuard, std::byte{0x5a});
  const Status status = codec.Decode(scratch, std::span(room).subspan(kGuard, length));
  const std::string guard(kGuard, '\x5a');
  EXPECT_EQ(Text(std::span(room).first(kGuard)), guard);
  EXPECT_EQ(Text(std::span(room).last(kGuard)), guard);
  if (!status) return Error(status.error());
  return Text(std::span(room).subspan(kGuard, length));
}

void ExpectCorrupt(const Result<std::string>& decoded, Reason reason, const std::string& what) {
  ASSERT_FALSE(decoded) << what;
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt) << what;
  EXPECT_EQ(ReasonName(decoded.error().reason), ReasonName(reason)) << what;
}

std::string Repetitive() {
  std::string text;
  for (int i = 0; i < 100; ++i) text.push_back(static_cast<char>(i / 10));
  return text;
}

std::string Noise() {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text.push_back(static_cast<char>((i * i * 31 + 7 * i + i / 3) % 251));
  return text;
}

class EveryPacking : public testing::TestWithParam<std::tuple<Compression, Packing>> {
 protected:
  const VolumeSettings settings_ =
      Settings(std::get<Compression>(GetParam()), std::get<Packing>(GetParam()));
  const BlockCodec codec_ = Codec(settings_);
  const bool encrypted_ = std::get<Packing>(GetParam()) != Packing::kPlain;
  const bool compressed_ = std::get<Compression>(GetParam()) != Compression::kNone;
};

INSTANTIATE_TEST_SUITE_P(
    BlockCodec, EveryPacking,
    testing::Combine(testing::Values(Compression::kNone, Compression::kLz4, Compression::kZstd),
                     testing::Values(Packing::kPlain, Packing::kAes, Packing::kChacha)));

TEST_P(EveryPacking, OpensBlocksOfEverySize) {
  for (const std::size_t length : {1UL, 100UL, 65'536UL, 70'001UL, 4'194'304UL}) {
    std::string repetitive(length, 'x');
    for (std::size_t i = 0; i < length; i += 17) repetitive[i] = static_cast<char>(i / 1000);
    for (const std::string& plain : {repetitive, Random(length)}) {
      const std::string object = Object(plain, settings_);
      EXPECT_LE(object.size(), codec_.MaxObjectBytes(length));
      const auto decoded = Decoded(codec_, object, length);
      ASSERT_TRUE(decoded) << decoded.error().message;
      EXPECT_TRUE(*decoded == plain) << length;
    }
  }
}

TEST_P(EveryPacking, SaysWhatItDoes) {
  EXPECT_EQ(codec_.identity(), !encrypted_ && !compressed_);
  EXPECT_EQ(codec_.authenticated(), encrypted_);
}

TEST_P(EveryPacking, RefusesABlockOfAnotherLength) {
  const std::string plain = Noise();
  for (const std::size_t other : {plain.size() - 1, plain.size() + 1, 2 * plain.size(), 1UL}) {
    const auto decoded = Decoded(codec_, Object(plain, settings_), other);
    const bool overflows = compressed_ && other < plain.size();
    ExpectCorrupt(decoded, overflows ? Reason::kDecompression : Reason::kWrongLength,
                  "a block of " + std::to_string(other));
  }
}

TEST_P(EveryPacking, RefusesEveryTruncation) {
  const std::string object = Object(Repetitive(), settings_);
  for (std::size_t length = 0; length < object.size(); ++length) {
    const auto decoded = Decoded(codec_, object.substr(0, length), 100);
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(decoded.error().reason, Reason::kUnspecified) << length;
  }
}

TEST_P(EveryPacking, SurvivesEveryFlippedByte) {
  const std::string plain = Repetitive();
  const std::string object = Object(plain, settings_);
  for (std::size_t at = 0; at < object.size(); ++at) {
    std::string damaged = object;
    damaged[at] = static_cast<char>(damaged[at] ^ (at % 2 == 0 ? 0x01 : 0x80));
    const auto decoded = Decoded(codec_, damaged, plain.size());
    // Only encryption binds the bytes; without it the object's own checksum has to.
    if (encrypted_) ExpectCorrupt(decoded, Reason::kDecryption, "byte " + std::to_string(at));
  }
}

TEST_P(EveryPacking, RefusesBytesAfterTheEnd) {
  const std::string object = Object(Repetitive(), settings_) + "more";
  const auto decoded = Decoded(codec_, object, 100);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt);
}

TEST_P(EveryPacking, RefusesAnErrorPageInPlaceOfTheObject) {
  const std::string page = "<html><body>503 Service Unavailable, please try again</body></html>";
  const auto decoded = Decoded(codec_, page, 4096);
  ExpectCorrupt(decoded,
                encrypted_    ? Reason::kDecryption
                : compressed_ ? Reason::kDecompression
                              : Reason::kWrongLength,
                page);
}

TEST(BlockCodec, RefusesDecompressionBombs) {
  const std::string zeros(64 << 20, '\0');
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    const VolumeSettings settings = Settings(compression, Packing::kPlain);
    const std::string bomb = Compressed(zeros, compression);
    ASSERT_LT(bomb.size(), 1U << 20);
    ExpectCorrupt(Decoded(Codec(settings), bomb, 4096), Reason::kDecompression, "bomb");
  }
}

TEST(BlockCodec, RefusesOneByteTooMany) {
  const std::string plain = Repetitive();
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    const BlockCodec codec = Codec(Settings(compression, Packing::kPlain));
    ExpectCorrupt(Decoded(codec, Compressed(plain + "x", compression), plain.size()),
                  Reason::kDecompression, "over-long");
  }
}

TEST(BlockCodec, KnowsTheLongestObject) {
  const BlockCodec plain = Codec(Settings(Compression::kNone, Packing::kPlain));
  const BlockCodec lz4 = Codec(Settings(Compression::kLz4, Packing::kPlain));
  const BlockCodec zstd = Codec(Settings(Compression::kZstd, Packing::kPlain));
  const BlockCodec sealed = Codec(Settings(Compression::kNone, Packing::kAes));
  for (const std::size_t bytes : {1UL, 65'536UL, 4'194'304UL, 16'777'216UL}) {
    EXPECT_EQ(plain.MaxObjectBytes(bytes), bytes);
    EXPECT_EQ(lz4.MaxObjectBytes(bytes),
              static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(bytes))));
    EXPECT_EQ(zstd.MaxObjectBytes(bytes), ZSTD_compressBound(bytes));
    EXPECT_EQ(sealed.MaxObjectBytes(bytes), bytes + 3 + 256 + 12 + 16);
  }
}

TEST(BlockCodec, NamesTheRegionsOfADamagedEnvelope) {
  const std::string data_key = Random(32);
  const std::string nonce = Random(12);
  const std::string wrapped = Wrapped(data_key, real::kPkcs8Key);
  const std::string sealed = Aead(Noise(), EVP_aes_256_gcm(), data_key, nonce);
  const BlockCodec codec = Codec(Settings(Compression::kNone, Packing::kAes));
  ASSERT_TRUE(Decoded(codec, Envelope(wrapped, nonce, sealed), 100));

  const std::string other_key = Wrapped(Random(32), real::kPkcs8Key);
  const std::string short_key = Wrapped(data_key.substr(0, 16), real::kPkcs8Key);
  const std::string no_label = Wrapped(data_key, real::kPkcs8Key, "other");
  const std::string sha1 = Wrapped(data_key, real::kPkcs8Key, "keys", EVP_sha1());
  for (const auto& [object, region] : std::vector<std::pair<std::string, std::string>>{
           {Envelope(other_key, nonce, sealed), "authentication"},
           {Envelope(short_key, nonce, sealed), "data key"},
           {Envelope(no_label, nonce, sealed), "data key"},
           {Envelope(sha1, nonce, sealed), "data key"},
           {Envelope(wrapped, Random(12), sealed), "authentication"},
           {Envelope(wrapped, nonce + "1234", sealed), "header"},
           {Envelope(wrapped.substr(1), nonce, sealed + "x"), "header"},
           {Envelope("", nonce, sealed), "cut short"},
           {"", "cut short"}}) {
    const auto decoded = Decoded(codec, object, 100);
    ExpectCorrupt(decoded, Reason::kDecryption, region);
    EXPECT_THAT(decoded.error().message, HasSubstr(region));
  }
}

TEST(BlockCodec, OpensUncompressedObjectsOfACompressedVolume) {
  const VolumeSettings settings = Settings(Compression::kLz4, Packing::kAes);
  const std::string uuid = "12345678-9abc-4def-8012-3456789abcde";
  auto object = Bytes(Encrypted(uuid, settings.encryption_algorithm, real::kPkcs8Key));
  const auto opened = Codec(settings).Decrypt(object);
  ASSERT_TRUE(opened);
  EXPECT_EQ(Text(*opened), uuid);
}

TEST(BlockCodec, LeavesNoTraceInTheErrorQueueOfTheThread) {
  ERR_clear_error();
  const BlockCodec codec = Codec(Settings(Compression::kNone, Packing::kAes));
  EXPECT_FALSE(Decoded(codec, std::string(387, 'x'), 100));
  std::string damaged = Object(Noise(), Settings(Compression::kNone, Packing::kAes));
  damaged[100] = static_cast<char>(damaged[100] ^ 1);
  EXPECT_FALSE(Decoded(codec, damaged, 100));
  VolumeSettings settings;
  settings.encrypt_key = Secret("no key");
  EXPECT_FALSE(BlockCodec::Create(settings, Secret()));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(BlockCodec, OpensBlocksOnSeveralThreadsAtOnce) {
  const VolumeSettings settings = Settings(Compression::kZstd, Packing::kAes);
  const BlockCodec codec = Codec(settings);
  std::atomic<int> opened = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const std::string plain = Random(1000);
        const auto decoded = Decoded(codec, Object(plain, settings), plain.size());
        if (decoded && *decoded == plain) ++opened;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(opened, 80);
}

Result<BlockCodec> WithKey(std::string_view pem, std::string_view passphrase) {
  VolumeSettings settings;
  settings.encrypt_key = Secret(std::string(pem));
  return BlockCodec::Create(settings, Secret(std::string(passphrase)));
}

TEST(BlockCodecKey, IsReadInEveryForm) {
  const std::string plain = Noise();
  const std::string object = Encrypted(plain, EncryptionAlgorithm::kAes256GcmRsa, real::kPkcs8Key);
  for (const std::string_view key :
       {real::kPkcs1Key, real::kPkcs8Key, real::kLegacyProtectedKey, real::kPkcs8ProtectedKey}) {
    const auto codec = WithKey(key, real::kPassphrase);
    ASSERT_TRUE(codec) << codec.error().message;
    const auto decoded = Decoded(*codec, object, plain.size());
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, plain);
  }
}

TEST(BlockCodecKey, NeedsAPassphraseOnlyWhereItIsProtected) {
  EXPECT_TRUE(WithKey(real::kPkcs1Key, ""));
  EXPECT_TRUE(WithKey(real::kPkcs8Key, ""));
  for (const std::string_view key : {real::kLegacyProtectedKey, real::kPkcs8ProtectedKey}) {
    const auto codec = WithKey(key, "");
    ASSERT_FALSE(codec);
    EXPECT_EQ(codec.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(codec.error().message, HasSubstr("set JFS_RSA_PASSPHRASE"));
  }
}

TEST(BlockCodecKey, RefusesAWrongPassphrase) {
  for (const std::string_view key : {real::kLegacyProtectedKey, real::kPkcs8ProtectedKey}) {
    for (const std::string& wrong :
         {std::string("wrong"), std::string("prewarm-test "), std::string(5000, 'x')}) {
      const auto codec = WithKey(key, wrong);
      ASSERT_FALSE(codec);
      EXPECT_EQ(codec.error().code, ErrorCode::kInvalidArgument);
      EXPECT_THAT(codec.error().message, HasSubstr("does not open with the passphrase"));
      EXPECT_THAT(codec.error().message, testing::Not(HasSubstr(wrong)));
    }
  }
}

TEST(BlockCodecKey, RefusesWhatIsNoRsaPrivateKey) {
  constexpr std::string_view kEllipticCurveKey = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJTRYhggcL0dt/BSZ
4Ycak86iZRjkwFGoEB+3EQ/5nu6hRANCAASjkyw3ZDFirpFekbIDba05WsYIXhOU
8zFSU97NlCwU3mmFW2PnV9JZXpUCNdftNB7Lscnz1a+YsZFZm/ALFuuc
-----END PRIVATE KEY-----
)";
  EXPECT_THAT(WithKey(kEllipticCurveKey, "").error().message, HasSubstr("not an RSA key"));
  const std::string cut(real::kPkcs8Key.substr(0, 900));
  for (const std::string& text : {std::string("-----BEGIN"), std::string("text"), cut}) {
    const auto codec = WithKey(text, "");
    ASSERT_FALSE(codec);
    EXPECT_EQ(codec.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(codec.error().message, HasSubstr("not a private key in PEM form"));
  }
}

TEST(BlockCodecKey, IsNeverTakenForAbsentWhereItIsOnlyWithheld) {
  VolumeSettings settings;
  settings.encrypt_key_withheld = true;
  const auto codec = BlockCodec::Create(settings, Secret());
  ASSERT_FALSE(codec);
  EXPECT_EQ(codec.error().code, ErrorCode::kInvalidArgument);
}

TEST(BlockCodec, OpensWhatTheRealClientWrote) {
  for (const real::Volume* volume : real::kAll) {
    const auto settings = ParseVolumeSettings(volume->setting);
    ASSERT_TRUE(settings) << settings.error().message;
    const BlockCodec codec = Codec(*settings, volume->needs_passphrase ? real::kPassphrase : "");
    const auto repetitive = Decoded(codec, FromHex(volume->repetitive), 100);
    ASSERT_TRUE(repetitive) << settings->name << ": " << repetitive.error().message;
    EXPECT_EQ(*repetitive, Repetitive());
    const auto noise = Decoded(codec, FromHex(volume->noise), 100);
    ASSERT_TRUE(noise) << settings->name << ": " << noise.error().message;
    EXPECT_EQ(*noise, Noise());
    auto uuid_object = Bytes(FromHex(volume->uuid_object));
    const auto uuid = codec.Decrypt(uuid_object);
    ASSERT_TRUE(uuid) << settings->name;
    EXPECT_EQ(Text(*uuid), settings->uuid);
  }
}

TEST(BlockKey, IsWhereTheRealClientPutTheBlock) {
  for (const real::Volume* volume : real::kAll) {
    for (const std::string_view key : {volume->repetitive_key, volume->noise_key}) {
      const auto block = ParseBlockName(key.substr(key.rfind('/') + 1));
      ASSERT_TRUE(block);
      EXPECT_EQ(BlockKey(*block, volume->hash_prefix), key);
    }
  }
}

}  // namespace
}  // namespace prewarm::juicefs
