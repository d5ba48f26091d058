#include "common/juicefs/volume_settings.h"

#include <algorithm>
#include <bit>
#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <utility>

#include "common/juicefs/cache_layout.h"

namespace prewarm::juicefs {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSmallestBlockKib = 64;
constexpr std::int64_t kLargestBlockKib = 16 << 10;
constexpr std::int64_t kDefaultBlockKib = 4 << 10;
constexpr std::int64_t kMostShards = 256;
constexpr std::int64_t kNewestMetaVersion = 1;
constexpr std::uint64_t kBytesPerMegabit = 1'000'000 / 8;
constexpr std::string_view kRemoved = "removed";

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

Error Damaged(std::string why) {
  return Fail(ErrorCode::kCorrupt, "the volume's setting " + std::move(why));
}

Error Refused(std::string why) {
  return Fail(ErrorCode::kInvalidArgument, "the volume " + std::move(why));
}

// The members of the setting by name and type. One that is absent or null has its empty value, as
// the client leaves out what is empty.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  [[nodiscard]] Result<std::string> Text(std::string_view name) const {
    const json::value* value = Find(name);
    if (value == nullptr) return std::string();
    if (!value->is_string()) return Damaged("has a " + std::string(name) + " that is not text");
    return std::string(value->get_string());
  }

  [[nodiscard]] Result<bool> Flag(std::string_view name) const {
    const json::value* value = Find(name);
    if (value == nullptr) return false;
    if (!value->is_bool()) return Damaged("has a " + std::string(name) + " that is not a boolean");
    return value->get_bool();
  }

  [[nodiscard]] Result<std::int64_t> Integer(std::string_view name, std::int64_t if_absent,
                                             std::int64_t least, std::int64_t most) const {
    const json::value* value = Find(name);
    if (value == nullptr) return if_absent;
    json::error_code error;
    const auto number = value->is_number() ? value->to_number<std::int64_t>(error) : 0;
    if (!value->is_number() || error || number < least || number > most) {
      return Damaged("has a " + std::string(name) + " that is not an integer from " +
                     std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }

 private:
  [[nodiscard]] const json::value* Find(std::string_view name) const {
    const json::value* value = object_.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  const json::object& object_;
};

// The name becomes a component of object keys and, with file storage, of paths.
bool IsSafeName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

Status ReadIdentity(const Fields& fields, VolumeSettings& settings) {
  // First, because a newer version may mean anything by the other fields.
  constexpr auto kAnyInt = std::numeric_limits<std::int32_t>::max();
  TRY(const auto meta_version, fields.Integer("MetaVersion", 0, 0, kAnyInt));
  if (meta_version > kNewestMetaVersion) {
    return Refused("has metadata of version " + std::to_string(meta_version) +
                   "; this program reads version 1: upgrade it");
  }
  settings.meta_version = static_cast<int>(meta_version);
  TRY(settings.name, fields.Text("Name"));
  if (!IsSafeName(settings.name)) return Damaged("has no usable Name");
  TRY(settings.uuid, fields.Text("UUID"));
  if (!IsUuid(settings.uuid)) return Damaged("has no usable UUID");
  return {};
}

Status ReadStorage(const Fields& fields, VolumeSettings& settings) {
  TRY(const std::string storage, fields.Text("Storage"));
  settings.storage = Lower(storage);
  TRY(settings.bucket, fields.Text("Bucket"));
  TRY(settings.access_key, fields.Text("AccessKey"));
  TRY(const auto shards, fields.Integer("Shards", 0, 0, kMostShards));
  settings.shards = static_cast<std::uint32_t>(shards);
  TRY(settings.hash_prefix, fields.Flag("HashPrefix"));
  constexpr std::int64_t kMostMegabits = 1'000'000'000;
  TRY(const auto limit, fields.Integer("DownloadLimit", 0, 0, kMostMegabits));
  settings.download_limit = static_cast<std::uint64_t>(limit) * kBytesPerMegabit;
  TRY(settings.trash_days,
      fields.Integer("TrashDays", 0, 0, std::numeric_limits<std::int64_t>::max()));
  return {};
}

Result<Compression> CompressionNamed(std::string_view name) {
  const std::string lower = Lower(name);
  if (lower.empty() || lower == "none") return Compression::kNone;
  if (lower == "lz4") return Compression::kLz4;
  if (lower == "zstd") return Compression::kZstd;
  return Refused("is compressed with \"" + std::string(name) +
                 "\"; this program knows lz4 and zstd");
}

Status ReadPacking(const Fields& fields, VolumeSettings& settings) {
  TRY(const auto block_kib,
      fields.Integer("BlockSize", kDefaultBlockKib, kSmallestBlockKib, kLargestBlockKib));
  if (!std::has_single_bit(static_cast<std::uint64_t>(block_kib))) {
    return Damaged("has a BlockSize that is not a power of two: " + std::to_string(block_kib));
  }
  settings.block_size = static_cast<std::uint32_t>(block_kib << 10);
  TRY(const std::string compression, fields.Text("Compression"));
  TRY(settings.compression, CompressionNamed(compression));
  return {};
}

// One secret in the clear; empty if there is none.
Result<Secret> SecretField(const Fields& fields, std::string_view name, std::string_view uuid,
                           bool sealed) {
  TRY(auto text, fields.Text(name));
  if (text == kRemoved) {
    return Refused("had its " + std::string(name) +
                   " removed from the metadata by an administrator: restore it with `juicefs "
                   "config`");
  }
  if (text.empty() || !sealed) return Secret(std::move(text));
  auto opened = OpenSecret(text, uuid);
  if (!opened) return std::move(opened).error().Within(name);
  return opened;
}

// What EncryptAlgo means for a volume that has something encrypted with it. sm4gcm also seals the
// secrets of the setting, so that it matters even where blocks are plain.
Status ReadAlgorithm(const Fields& fields, bool seals_secrets, VolumeSettings& settings) {
  TRY(const std::string algorithm, fields.Text("EncryptAlgo"));
  TRY(const std::string key, fields.Text("EncryptKey"));
  const bool encrypts_blocks = !key.empty();
  if (algorithm == "sm4gcm" && (encrypts_blocks || seals_secrets)) {
    return Refused("is encrypted with sm4gcm, which this program cannot read");
  }
  if (!encrypts_blocks || algorithm.empty() || algorithm == "aes256gcm-rsa") return {};
  if (algorithm == "chacha20-rsa") {
    settings.encryption_algorithm = EncryptionAlgorithm::kChacha20Rsa;
    return {};
  }
  return Refused("is encrypted with \"" + algorithm +
                 "\"; this program knows aes256gcm-rsa and chacha20-rsa");
}

Status ReadSecrets(const Fields& fields, bool need_secrets, VolumeSettings& settings) {
  TRY(const bool sealed, fields.Flag("KeyEncrypted"));
  TRY_STATUS(ReadAlgorithm(fields, sealed && need_secrets, settings));
  if (!need_secrets) {
    TRY(const std::string key, fields.Text("EncryptKey"));
    settings.encrypt_key_withheld = !key.empty();
    return {};
  }
  TRY(settings.secret_key, SecretField(fields, "SecretKey", settings.uuid, sealed));
  TRY(settings.session_token, SecretField(fields, "SessionToken", settings.uuid, sealed));
  TRY(settings.encrypt_key, SecretField(fields, "EncryptKey", settings.uuid, sealed));
  return {};
}

}  // namespace

Result<VolumeSettings> ParseVolumeSettings(std::string_view text, bool need_secrets) {
  json::error_code error;
  const json::value document = json::parse(text, error);
  if (error) return Damaged("is not JSON: " + error.message());
  if (!document.is_object()) return Damaged("is not a JSON object");
  const Fields fields(document.get_object());
  VolumeSettings settings;
  TRY_STATUS(ReadIdentity(fields, settings));
  TRY_STATUS(ReadStorage(fields, settings));
  TRY_STATUS(ReadPacking(fields, settings));
  TRY_STATUS(ReadSecrets(fields, need_secrets, settings));
  return settings;
}

}  // namespace prewarm::juicefs
