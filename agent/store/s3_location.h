// What the bucket text of an S3, MinIO or Google volume means: where to connect, which bucket, how
// to address and sign. The rules are those of the JuiceFS client (v1.4.1, pkg/object/s3.go,
// minio.go, gs.go, cmd/format.go). Pure: the environment is handed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::agent {

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct S3Location {
  bool tls = true;
  std::string host;  // of the endpoint, without the bucket
  std::uint16_t port = 443;
  std::string bucket;
  std::string region;
  bool aws = false;          // one of Amazon's endpoints
  bool path_style = true;    // /bucket/key rather than bucket.host/key
  bool region_known = true;  // false: a guess that the first answer may correct
  // Query parameters of the bucket text.
  bool verify_tls = true;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  bool checksums = true;

  // The host to connect to and to name in the Host header, and the path before a key.
  [[nodiscard]] std::string ConnectHost() const;
  [[nodiscard]] std::string HostHeader() const;
  [[nodiscard]] std::string PathPrefix() const;  // "" or "/bucket"
  // To another of Amazon's regions.
  void MoveTo(const std::string& other_region);

  bool operator==(const S3Location&) const = default;
};

// kInvalidArgument: no bucket or no host in the text, a port out of range, another scheme; the
// message quotes the text.
Result<S3Location> ParseS3Bucket(std::string_view text, const Environment& environment);
Result<S3Location> ParseMinioBucket(std::string_view text, const Environment& environment);
// "gs://bucket[.region]", at Google or at the emulator that STORAGE_EMULATOR_HOST names.
Result<S3Location> ParseGcsBucket(std::string_view text, const Environment& environment);
bool HasGcsEmulator(const Environment& environment);

}  // namespace prewarm::agent
