#include "common/juicefs/block_codec.h"

#include <lz4.h>
#include <openssl/crypto.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "common/juicefs/openssl.h"
#include "common/juicefs/private_key.h"

namespace prewarm::juicefs {
namespace {

// What stands before the wrapped key of an envelope: its length and that of the nonce.
constexpr std::size_t kEnvelopeHeaderBytes = 3;

Error Undecryptable(std::string why) {
  return Fail(ErrorCode::kCorrupt, "the encrypted object " + std::move(why), Reason::kDecryption);
}

Error Undecompressable(std::string_view format) {
  return Fail(ErrorCode::kCorrupt,
              "the object does not decompress as " + std::string(format) + " into its block",
              Reason::kDecompression);
}

Status ExactLength(std::size_t bytes, std::size_t expected) {
  if (bytes == expected) return {};
  return Fail(ErrorCode::kCorrupt,
              "the object holds " + std::to_string(bytes) + " bytes of data, its block has " +
                  std::to_string(expected),
              Reason::kWrongLength);
}

bool FitsInt(std::size_t size) { return size <= std::numeric_limits<int>::max(); }

// A raw LZ4 block: no frame and no length of its own, so the room for the output is the only bound.
Status DecompressLz4(std::span<const std::byte> packed, std::span<std::byte> plain) {
  if (!FitsInt(packed.size()) || !FitsInt(plain.size())) return Undecompressable("lz4");
  const int written = LZ4_decompress_safe(
      reinterpret_cast<const char*>(packed.data()), reinterpret_cast<char*>(plain.data()),
      static_cast<int>(packed.size()), static_cast<int>(plain.size()));
  if (written < 0) return Undecompressable("lz4");
  return ExactLength(static_cast<std::size_t>(written), plain.size());
}

Status DecompressZstd(std::span<const std::byte> packed, std::span<std::byte> plain) {
  const std::size_t written =
      ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size());
  if (ZSTD_isError(written) != 0) return Undecompressable("zstd");
  return ExactLength(written, plain.size());
}

// The parts of an envelope; all lie within the object.
struct Envelope {
  std::span<std::byte> wrapped_key;
  std::span<std::byte> nonce;
  std::span<std::byte> sealed;  // ciphertext ‖ tag
  [[nodiscard]] std::size_t PlainBytes() const { return sealed.size() - kAeadTagBytes; }
};

// `wrapped_key_bytes` is what the volume's private key wraps into: an envelope that says otherwise
// is damaged or belongs to another key.
Result<Envelope> ParseEnvelope(std::span<std::byte> object, std::size_t wrapped_key_bytes) {
  if (object.size() < kEnvelopeHeaderBytes + wrapped_key_bytes + kAeadNonceBytes + kAeadTagBytes) {
    return Undecryptable("is cut short");
  }
  const std::size_t key_bytes =
      std::to_integer<std::size_t>(object[0]) << 8 | std::to_integer<std::size_t>(object[1]);
  const auto nonce_bytes = std::to_integer<std::size_t>(object[2]);
  if (key_bytes != wrapped_key_bytes || nonce_bytes != kAeadNonceBytes) {
    return Undecryptable("has a damaged header, or one for another private key");
  }
  const std::span<std::byte> rest = object.subspan(kEnvelopeHeaderBytes);
  return Envelope{rest.first(key_bytes), rest.subspan(key_bytes, kAeadNonceBytes),
                  rest.subspan(key_bytes + kAeadNonceBytes)};
}

}  // namespace

struct BlockCodec::Keys {
  PrivateKey private_key;
  const EVP_CIPHER* cipher;  // static storage

  // Opens the envelope into `plain`, which is its ciphertext's place or elsewhere.
  [[nodiscard]] Status Open(const Envelope& envelope, std::span<std::byte> plain) const {
    DataKey data_key;
    if (!private_key.Unwrap(envelope.wrapped_key, data_key)) {
      return Undecryptable("has a damaged data key, or one for another private key");
    }
    const bool opened = OpenAead(cipher, data_key, envelope.nonce, envelope.sealed, plain);
    OPENSSL_cleanse(data_key.data(), data_key.size());
    if (!opened) return Undecryptable("fails its authentication");
    return {};
  }
};

BlockCodec::BlockCodec(Compression compression, std::unique_ptr<Keys> keys)
    : compression_(compression), keys_(std::move(keys)) {}
BlockCodec::BlockCodec(BlockCodec&&) noexcept = default;
BlockCodec& BlockCodec::operator=(BlockCodec&&) noexcept = default;
BlockCodec::~BlockCodec() = default;

Result<BlockCodec> BlockCodec::Create(const VolumeSettings& settings, const Secret& passphrase) {
  if (settings.encrypt_key.empty()) {
    if (settings.encrypt_key_withheld) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the volume is encrypted, but its private key is not among these settings");
    }
    return BlockCodec(settings.compression, nullptr);
  }
  TRY(auto private_key, PrivateKey::FromPem(settings.encrypt_key, passphrase));
  const EVP_CIPHER* cipher = settings.encryption_algorithm == EncryptionAlgorithm::kAes256GcmRsa
                                 ? EVP_aes_256_gcm()
                                 : EVP_chacha20_poly1305();
  return BlockCodec(settings.compression,
                    std::make_unique<Keys>(Keys{std::move(private_key), cipher}));
}

bool BlockCodec::identity() const { return keys_ == nullptr && compression_ == Compression::kNone; }

bool BlockCodec::authenticated() const { return keys_ != nullptr; }

std::size_t BlockCodec::MaxObjectBytes(std::size_t plain_bytes) const {
  std::size_t bytes = plain_bytes;
  if (compression_ == Compression::kLz4) {
    bytes += plain_bytes / 255 + 16;  // LZ4_compressBound, which counts in int
  } else if (compression_ == Compression::kZstd) {
    bytes = ZSTD_compressBound(plain_bytes);
  }
  if (keys_ == nullptr) return bytes;
  return bytes + kEnvelopeHeaderBytes + keys_->private_key.WrappedBytes() + kAeadNonceBytes +
         kAeadTagBytes;
}

Status BlockCodec::Decode(std::span<std::byte> object, std::span<std::byte> plain) const {
  if (compression_ == Compression::kNone) {
    if (keys_ == nullptr) {
      TRY_STATUS(ExactLength(object.size(), plain.size()));
      std::ranges::copy(object, plain.begin());
      return {};
    }
    // Decrypts straight into the block, which saves copying it.
    TRY(const Envelope envelope, ParseEnvelope(object, keys_->private_key.WrappedBytes()));
    TRY_STATUS(ExactLength(envelope.PlainBytes(), plain.size()));
    return keys_->Open(envelope, plain);
  }
  std::span<const std::byte> packed = object;
  if (keys_ != nullptr) {
    TRY(packed, Decrypt(object));
  }
  return compression_ == Compression::kLz4 ? DecompressLz4(packed, plain)
                                           : DecompressZstd(packed, plain);
}

Result<std::span<std::byte>> BlockCodec::Decrypt(std::span<std::byte> object) const {
  if (keys_ == nullptr) return object;
  TRY(const Envelope envelope, ParseEnvelope(object, keys_->private_key.WrappedBytes()));
  const std::span<std::byte> plain = envelope.sealed.first(envelope.PlainBytes());
  TRY_STATUS(keys_->Open(envelope, plain));
  return plain;
}

}  // namespace prewarm::juicefs
