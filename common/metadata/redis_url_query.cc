#include "common/metadata/redis_url_query.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "common/base/units.h"
#include "common/metadata/percent.h"

namespace prewarm::metadata {
namespace {

using Parameters = std::map<std::string, std::string, std::less<>>;

Result<Parameters> Split(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    const auto equals = item.find('=');
    std::string name(item.substr(0, equals));
    std::ranges::replace(name, '_', '-');
    std::string encoded(equals == item.npos ? "" : item.substr(equals + 1));
    std::ranges::replace(encoded, '+', ' ');
    auto value = PercentDecode(encoded);
    if (!value) {
      return Fail(ErrorCode::kInvalidArgument,
                  "metadata URL: " + name + " has a \"%\" without two hex digits; write it as %25");
    }
    if (!value->empty()) parameters.emplace(std::move(name), *std::move(value));
  }
  return parameters;
}

std::string Take(const Parameters& parameters, std::string_view name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

// As the client's Redis library has it: 0 is the default, a negative one means never.
Status ReadTimeout(const Parameters& parameters, std::string_view name,
                   std::chrono::milliseconds& timeout) {
  constexpr std::chrono::milliseconds kNever = std::chrono::hours(24);
  const std::string text = Take(parameters, name);
  if (text.empty()) return {};
  const auto parsed = ParseDuration(text);
  if (!parsed) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata URL: " + std::string(name) + ": " + parsed.error().message);
  }
  const auto value = std::chrono::ceil<std::chrono::milliseconds>(*parsed);
  if (parsed->count() < 0) {
    timeout = kNever;
  } else if (value.count() > 0) {
    timeout = std::min(value, kNever);
  }
  return {};
}

// The client takes any text for yes; "false" is more likely to mean what it says.
bool MeansYes(const std::string& text) {
  constexpr auto kNo =
      std::to_array<std::string_view>({"", "0", "f", "false", "False", "FALSE", "no", "off"});
  return std::ranges::find(kNo, text) == kNo.end();
}

}  // namespace

Result<std::optional<std::string>> ApplyQuery(std::string_view query, RedisUrl& url) {
  TRY(const Parameters parameters, Split(query));
  TRY_STATUS(ReadTimeout(parameters, "read-timeout", url.read_timeout));
  TRY_STATUS(ReadTimeout(parameters, "write-timeout", url.write_timeout));
  if (url.tls) {
    url.tls->ca_file = Take(parameters, "tls-ca-cert-file");
    url.tls->certificate_file = Take(parameters, "tls-cert-file");
    url.tls->key_file = Take(parameters, "tls-key-file");
    url.tls->server_name = Take(parameters, "tls-server-name");
    url.tls->verify = !MeansYes(Take(parameters, "insecure-skip-verify"));
    if (url.tls->certificate_file.empty() != url.tls->key_file.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "metadata URL: tls-cert-file and tls-key-file go together");
    }
  }
  const std::string database = Take(parameters, "db");
  return database.empty() ? std::nullopt : std::optional(database);
}

}  // namespace prewarm::metadata
