// The RSA private key of an encrypted volume, read from PEM text, and the unwrapping of the data
// keys that it protects. Private to this folder.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/juicefs/openssl.h"

namespace prewarm::juicefs {

inline constexpr std::size_t kDataKeyBytes = 32;
using DataKey = std::array<std::byte, kDataKeyBytes>;

class PrivateKey {
 public:
  // PKCS#1 or PKCS#8, plain or protected (legacy PEM encryption or PKCS#8's own).
  // kInvalidArgument: the passphrase is missing or wrong, or this is no RSA private key.
  static Result<PrivateKey> FromPem(const Secret& pem, const Secret& passphrase);

  // Length of what the public key wraps anything into.
  [[nodiscard]] std::size_t WrappedBytes() const;

  // RSA-OAEP with SHA-256 and JuiceFS's label. False if `wrapped` is not a data key that was
  // wrapped for this key. Thread-safe.
  bool Unwrap(std::span<const std::byte> wrapped, DataKey& data_key) const;

 private:
  explicit PrivateKey(OpensslKey key) : key_(std::move(key)) {}
  OpensslKey key_;
};

}  // namespace prewarm::juicefs
