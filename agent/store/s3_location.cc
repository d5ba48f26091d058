#include "agent/store/s3_location.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace prewarm::agent {
namespace {

constexpr std::string_view kAmazon = ".amazonaws.com";
constexpr std::string_view kAmazonChina = ".amazonaws.com.cn";
constexpr std::string_view kAmazonVpce = ".vpce.amazonaws.com";
constexpr std::string_view kGcsEmulator = "STORAGE_EMULATOR_HOST";

Error BadBucket(std::string_view text, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument,
              "the bucket \"" + std::string(text) + "\" cannot be used: " + why);
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool IsAmazon(std::string_view host) {
  return host.ends_with(kAmazon) || host.ends_with(kAmazonChina) || host == kAmazon.substr(1);
}

// A bucket text in its parts; the bucket and its region are found from them.
struct BucketText {
  bool tls = true;
  std::string host;
  std::optional<std::uint16_t> port;
  std::string path;  // without slashes around it
  std::map<std::string, std::string, std::less<>> query;

  [[nodiscard]] std::string Query(std::string_view name) const {
    const auto found = query.find(name);
    return found == query.end() ? "" : found->second;
  }
};

bool IsTrue(std::string_view text) {
  return text == "1" || text == "t" || text == "T" || text == "true" || text == "True" ||
         text == "TRUE";
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const bool escaped = text[i] == '%' && i + 2 < text.size();
    const char* digits = text.data() + i + 1;
    if (escaped && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool IsAddress(std::string_view host) {
  return host.starts_with('[') || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string_view StripSlashes(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

void ParseQuery(std::string_view text, BucketText& parts) {
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto pair = text.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    parts.query[std::string(pair.substr(0, equals))] =
        equals < pair.size() ? PercentDecoded(pair.substr(equals + 1)) : "true";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<BucketText> Take(std::string_view text, std::string_view default_scheme) {
  BucketText parts;
  std::string_view rest = text;
  const auto scheme_end = rest.find("://");
  const auto scheme =
      scheme_end == std::string_view::npos ? default_scheme : rest.substr(0, scheme_end);
  if (scheme_end != std::string_view::npos) rest.remove_prefix(scheme_end + 3);
  if (scheme != "http" && scheme != "https") return BadBucket(text, "it is not http or https");
  parts.tls = scheme == "https";
  if (const auto question = rest.find('?'); question != std::string_view::npos) {
    ParseQuery(rest.substr(question + 1), parts);
    rest = rest.substr(0, question);
  }
  rest = StripSlashes(rest);
  const auto slash = std::min(rest.find('/'), rest.size());
  auto authority = rest.substr(0, slash);
  parts.path = std::string(StripSlashes(rest.substr(slash)));
  // An IPv6 address stands in brackets; its colons are not a port's.
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const auto digits = authority.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
      return BadBucket(text, "its port is not a number from 1 to 65535");
    }
    parts.port = port;
    authority = authority.substr(0, colon);
  }
  parts.host = std::string(authority);
  if (parts.host.empty()) return BadBucket(text, "it names no host");
  return parts;
}

bool VirtualHostWanted(const Environment& environment) {
  const auto value = environment("JFS_S3_VHOST_STYLE");
  return value && !value->empty() && *value != "0" && *value != "false";
}

std::string RegionFromEnvironment(const Environment& environment) {
  for (const auto* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (const auto value = environment(name); value && !value->empty()) return *value;
  }
  return "us-east-1";
}

// "….vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com" -> "eu-west-1".
std::string RegionOfVpceHost(std::string_view host) {
  const auto before = host.substr(0, host.size() - kAmazonVpce.size());
  return std::string(before.substr(before.rfind('.') + 1));
}

// "s3.eu-west-1.amazonaws.com", "s3-eu-west-1.…", "s3.dualstack.eu-west-1.…" -> "eu-west-1".
std::string RegionOfAmazonHost(std::string_view host) {
  if (host.starts_with("s3-") || host.starts_with("s3.")) host.remove_prefix(3);
  for (const std::string_view variant : {"fips.", "dualstack."}) {
    if (host.starts_with(variant)) host.remove_prefix(variant.size());
  }
  const auto label = host.substr(0, host.find('.'));
  if (label == "amazonaws" || label == "external-1" || label == "s3") return "us-east-1";
  return std::string(label);
}

// Some providers' hosts name their region.
std::string RegionOfOtherHost(std::string_view host, const std::string& fallback) {
  if (host.ends_with(
          ".oraclecloud.com")) {  // <namespace>.compat.objectstorage.<region>.oraclecloud.com
    const auto tail = host.substr(0, host.size() - std::string_view(".oraclecloud.com").size());
    return std::string(tail.substr(tail.rfind('.') + 1));
  }
  if (host.starts_with("s3.") && (host.ends_with(".ovh.net") || host.ends_with(".ovh.us"))) {
    const auto label = host.substr(3);  // s3.<region>[.perf|.io].cloud.ovh.net
    return std::string(label.substr(0, label.find('.')));
  }
  return fallback;
}

void TakeOptions(const BucketText& parts, S3Location& location) {
  location.tls = parts.tls;
  location.port = parts.port.value_or(parts.tls ? 443 : 80);
  location.verify_tls = !IsTrue(parts.Query("tls-insecure-skip-verify"));
  location.ca_file = parts.Query("ca-certs");
  location.certificate_file = parts.Query("ssl-cert");
  location.key_file = parts.Query("ssl-key");
  location.checksums = !IsTrue(parts.Query("disable-checksum"));
}

std::string AmazonHost(const std::string& region) {
  return "s3." + region + std::string(region.starts_with("cn-") ? kAmazonChina : kAmazon);
}

void SetAmazonHost(S3Location& location, std::string host) {
  location.aws = true;
  location.host = std::move(host);
  location.path_style = Contains(location.bucket, ".");  // a dot would break the certificate's name
}

// Bucket and endpoint in a text without a path.
Status SplitHost(std::string_view text, const BucketText& parts, const std::string& fallback_region,
                 S3Location& location) {
  const std::string_view host = parts.host;
  const auto dot = host.find('.');
  if (IsAddress(host) || (dot == std::string_view::npos && parts.port)) {
    return BadBucket(text, "it names no bucket; write <endpoint>/<bucket>");
  }
  if (dot == std::string_view::npos) {  // an AWS bucket, its region unknown
    location.bucket = parts.host;
    location.region = fallback_region;
    SetAmazonHost(location, AmazonHost(fallback_region));
    return {};
  }
  location.bucket = std::string(host.substr(0, dot));
  const std::string_view rest = host.substr(dot + 1);
  if (host.ends_with(".vpce.amazonaws.com")) {  // <bucket>.bucket.<vpce>.s3.<region>.vpce.…
    const auto before =
        host.substr(0, host.size() - std::string_view(".vpce.amazonaws.com").size());
    location.region = std::string(before.substr(before.rfind('.') + 1));
    location.host = std::string(rest);
    return {};
  }
  if (IsAmazon(host)) {
    const auto s3 = host.find(".s3");
    if (s3 == std::string_view::npos) return BadBucket(text, "its host names no bucket");
    location.bucket = std::string(host.substr(0, s3));
    SetAmazonHost(location, std::string(host.substr(s3 + 1)));
    location.region = RegionOfAmazonHost(location.host);
    return {};
  }
  location.host = std::string(rest);
  location.region = RegionOfOtherHost(rest, fallback_region);
  return {};
}

}  // namespace

std::string S3Location::ConnectHost() const {
  std::string name = path_style ? host : bucket + "." + host;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  return name;
}

std::string S3Location::HostHeader() const {
  const std::string name = path_style ? host : bucket + "." + host;
  return port == (tls ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

std::string S3Location::PathPrefix() const { return path_style ? "/" + bucket : ""; }

void S3Location::MoveTo(const std::string& other_region) {
  const auto at = host.find("." + region + ".");
  const auto old_form = host.find("s3-" + region + ".");
  if (at != std::string::npos) {
    host.replace(at + 1, region.size(), other_region);
  } else if (old_form != std::string::npos) {
    host.replace(old_form + 3, region.size(), other_region);
  } else {
    host = AmazonHost(other_region);
  }
  region = other_region;
}

Result<S3Location> ParseS3Bucket(std::string_view text, const Environment& environment) {
  const auto bare = text.substr(0, text.find('?'));
  const bool custom = Contains(bare, ".") && !StripSlashes(bare).ends_with(kAmazon);
  TRY(const auto parts, Take(text, custom ? "http" : "https"));
  S3Location location;
  TakeOptions(parts, location);
  const auto fallback = RegionFromEnvironment(environment);
  if (parts.path.empty()) {
    TRY_STATUS(SplitHost(text, parts, fallback, location));
  } else {
    location.bucket = parts.path.substr(0, parts.path.find('/'));
    if (parts.host.ends_with(kAmazonVpce)) {
      location.host = parts.host;
      location.region = RegionOfVpceHost(parts.host);
    } else if (IsAmazon(parts.host)) {
      SetAmazonHost(location, parts.host);
      location.region = RegionOfAmazonHost(parts.host);
    } else {
      location.host = parts.host;
      location.region = RegionOfOtherHost(parts.host, fallback);
    }
  }
  if (!location.aws) location.path_style = !VirtualHostWanted(environment);
  return location;
}

Result<S3Location> ParseMinioBucket(std::string_view text, const Environment& environment) {
  TRY(auto parts, Take(text, "http"));
  if (parts.path.starts_with("minio/")) parts.path = parts.path.substr(6);
  if (parts.path.empty()) return BadBucket(text, "it names no bucket: http://host:port/bucket");
  S3Location location;
  TakeOptions(parts, location);
  location.host = parts.host;
  location.bucket = parts.path.substr(0, parts.path.find('/'));
  location.region = parts.Query("region");
  if (location.region.empty()) {
    location.region = environment("MINIO_REGION").value_or("us-east-1");
  }
  location.path_style = !VirtualHostWanted(environment);
  return location;
}

bool HasGcsEmulator(const Environment& environment) {
  return !environment(kGcsEmulator).value_or("").empty();
}

Result<S3Location> ParseGcsBucket(std::string_view text, const Environment& environment) {
  constexpr std::string_view kScheme = "gs://";
  const auto rest = text.starts_with(kScheme) ? text.substr(kScheme.size()) : text;
  if (Contains(rest, "://")) return BadBucket(text, "it is not gs://BUCKET");
  S3Location location;
  location.host = "storage.googleapis.com";
  // What follows the first dot is the region in which the bucket was made.
  location.bucket = std::string(rest.substr(0, rest.find_first_of("./?")));
  if (location.bucket.empty()) return BadBucket(text, "it names no bucket");
  if (!HasGcsEmulator(environment)) return location;
  const auto parts = Take(*environment(kGcsEmulator), "http");
  if (!parts) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string(kGcsEmulator) + ": " + parts.error().message);
  }
  location.host = parts->host;
  TakeOptions(*parts, location);
  return location;
}

}  // namespace prewarm::agent
