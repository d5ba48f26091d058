// From a stored object to the plain bytes of a block: decrypt, then decompress, with hard bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/juicefs/volume_settings.h"

namespace prewarm::juicefs {

class BlockCodec {
 public:
  // `passphrase` opens the volume's RSA key where that is protected (JFS_RSA_PASSPHRASE).
  // kInvalidArgument: no, or a wrong, passphrase; a key that cannot be read.
  static Result<BlockCodec> Create(const VolumeSettings& settings, const Secret& passphrase);

  BlockCodec(BlockCodec&&) noexcept;
  BlockCodec& operator=(BlockCodec&&) noexcept;
  ~BlockCodec();

  // True if objects are the plain bytes: Decode is then not needed, only the length check.
  [[nodiscard]] bool identity() const;
  // True if an object carries proof that its bytes are what was written (AEAD tag).
  [[nodiscard]] bool authenticated() const;
  // The longest object that a block of `plain_bytes` can have.
  [[nodiscard]] std::size_t MaxObjectBytes(std::size_t plain_bytes) const;

  // Opens `object` into all of `plain`, which do not overlap. `object` is scratch space: decryption
  // may work in place. kCorrupt with kDecryption, kDecompression or kWrongLength; `plain` then
  // holds nothing that may be used. Thread-safe.
  Status Decode(std::span<std::byte> object, std::span<std::byte> plain) const;

  // The decryption step alone, in place, for objects that are never compressed (juicefs_uuid):
  // the plain bytes within `object`.
  Result<std::span<std::byte>> Decrypt(std::span<std::byte> object) const;

 private:
  struct Keys;
  BlockCodec(Compression compression, std::unique_ptr<Keys> keys);
  Compression compression_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace prewarm::juicefs
