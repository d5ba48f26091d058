// The `setting` value of a volume: what it is called, where its objects are and how they are
// packed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace prewarm::juicefs {

enum class Compression : std::uint8_t { kNone, kLz4, kZstd };
enum class EncryptionAlgorithm : std::uint8_t { kAes256GcmRsa, kChacha20Rsa };

struct VolumeSettings {
  std::string name;     // first component of every object key
  std::string uuid;     // validated: 36 characters, 8-4-4-4-12 hex
  std::string storage;  // lower case: "s3", "file", …
  std::string bucket;
  std::string access_key;
  Secret secret_key;     // decrypted
  Secret session_token;  // decrypted
  Secret encrypt_key;    // decrypted PEM text; blocks are encrypted iff not empty
  bool encrypt_key_withheld =
      false;  // blocks are encrypted, but the key is masked (mount's .config)
  std::uint32_t block_size = 4 << 20;  // bytes
  Compression compression = Compression::kNone;
  EncryptionAlgorithm encryption_algorithm = EncryptionAlgorithm::kAes256GcmRsa;
  std::uint32_t shards = 0;  // >1: sharded buckets
  bool hash_prefix = false;
  std::uint64_t download_limit = 0;  // bytes per second, 0 = none; a wish of the volume's owner
  int meta_version = 0;
  std::int64_t trash_days = 0;

  bool operator==(const VolumeSettings&) const = default;
};

// kCorrupt: not JSON, or a field of the wrong type or out of range (named). kInvalidArgument: a
// volume that this program must not touch: MetaVersion above 1, an unknown compression or
// encryption algorithm (sm4gcm included), secrets that an administrator removed (`removed`); the
// message says what to do. With `need_secrets` false (a mount's .config, where secrets are masked)
// secrets are left empty instead.
Result<VolumeSettings> ParseVolumeSettings(std::string_view json, bool need_secrets = true);

// Text sealed under the volume's UUID, as in SecretKey with KeyEncrypted. kCorrupt if it does not
// open.
Result<Secret> OpenSecret(std::string_view base64, std::string_view uuid);

}  // namespace prewarm::juicefs
