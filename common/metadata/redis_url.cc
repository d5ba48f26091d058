// Reading a metadata URL by the JuiceFS client's rules, which are not those of any URL library: the
// host part may be a list, and the place of its first comma tells Sentinel from Cluster.
#include "common/metadata/redis_url.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

#include "common/metadata/host_port.h"
#include "common/metadata/percent.h"
#include "common/metadata/redis_url_query.h"

namespace prewarm::metadata {
namespace {

constexpr std::uint16_t kRedisPort = 6379;
constexpr std::uint16_t kSentinelPort = 26379;
constexpr std::string_view kHowToWrite =
    "write redis://[user:password@]host[:port]/database, rediss://... for TLS, or "
    "unix://[user:password@]/path/of/socket?db=N";

Error Invalid(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, "metadata URL: " + what);
}

struct Parts {
  std::string_view scheme;
  std::string_view user_info;
  std::string_view hosts;
  std::string_view path;  // with its leading "/", or empty
  std::string_view query;
};

Result<Parts> Split(std::string_view text) {
  Parts parts;
  parts.scheme = "redis";
  if (const auto mark = text.find("://"); mark != text.npos) {
    parts.scheme = text.substr(0, mark);
    text.remove_prefix(mark + 3);
  }
  if (parts.scheme != "redis" && parts.scheme != "rediss" && parts.scheme != "unix") {
    return Invalid("only Redis metadata is supported, not \"" + std::string(parts.scheme) + "\"; " +
                   std::string(kHowToWrite));
  }
  if (const auto mark = text.find('?'); mark != text.npos) {
    parts.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  const auto slash = text.find('/');
  if (slash != text.npos) parts.path = text.substr(slash);
  std::string_view authority = text.substr(0, slash);
  if (const auto at = authority.rfind('@'); at != authority.npos) {
    parts.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  // A path like this is the rest of a password that was not encoded.
  if (parts.scheme != "unix" && parts.path.find('@') != parts.path.npos) {
    return Invalid(R"(a "/" before the "@": in a user name or password write it as %2F)");
  }
  parts.hosts = authority;
  return parts;
}

Status ReadUserInfo(const Parts& parts, RedisUrl& url) {
  const auto colon = parts.user_info.find(':');
  auto user = PercentDecode(parts.user_info.substr(0, colon));
  if (!user) return Invalid("the user name has a \"%\" without two hex digits; write it as %25");
  url.user = *std::move(user);
  if (colon == parts.user_info.npos) return {};
  auto password = PercentDecode(parts.user_info.substr(colon + 1));
  if (!password) return Invalid("the password has a \"%\" without two hex digits; write it as %25");
  url.password = Secret(*std::move(password));
  return {};
}

std::string Trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Status ReadSecretsOfEnvironment(const Environment& environment, RedisUrl& url) {
  for (const auto* name : {"REDIS_PASSWORD", "META_PASSWORD"}) {
    if (!url.password.empty()) break;
    url.password = Secret(environment(name).value_or(""));
  }
  const std::string file = environment("META_PASSWORD_FILE").value_or("");
  if (url.password.empty() && !file.empty()) {
    std::ifstream in(file);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    if (!in.is_open() || in.bad()) {
      return Fail(ErrorCode::kInvalidArgument, "META_PASSWORD_FILE: cannot read " + file);
    }
    url.password = Secret(Trimmed(content));
  }
  if (url.mode == RedisUrl::Mode::kSentinel) {
    url.sentinel_password = Secret(environment("SENTINEL_PASSWORD").value_or(""));
  }
  return {};
}

std::vector<std::string_view> SplitList(std::string_view list) {
  std::vector<std::string_view> items;
  for (;;) {
    const auto comma = list.find(',');
    items.push_back(list.substr(0, comma));
    if (comma == list.npos) return items;
    list.remove_prefix(comma + 1);
  }
}

Status ReadHosts(std::string_view hosts, RedisUrl& url) {
  const auto comma = hosts.find(',');
  const auto colon = hosts.find(':');
  auto items = SplitList(hosts);
  std::uint16_t default_port = kRedisPort;
  if (comma == hosts.npos) {
    url.mode = RedisUrl::Mode::kSingle;
  } else if (colon == hosts.npos || comma < colon) {
    url.mode = RedisUrl::Mode::kSentinel;
    url.master_name = items.front();
    items.erase(items.begin());
    if (url.master_name.empty()) {
      return Invalid("no master name before the first comma of the host list");
    }
    // The client's rule: a port on the last sentinel counts for all that have none.
    TRY(const HostPort last, ParseHostPort(items.back(), kSentinelPort));
    default_port = last.port;
  } else {
    url.mode = RedisUrl::Mode::kCluster;
  }
  for (const auto item : items) {
    TRY(HostPort host, ParseHostPort(item, default_port));
    url.hosts.push_back(std::move(host));
  }
  return {};
}

Status ReadDatabase(std::string_view digits, RedisUrl& url) {
  const auto number = ParseUnsigned(digits, std::numeric_limits<std::int32_t>::max());
  if (!number) {
    return Invalid("the database must be a number from 0 to 2147483647, as in redis://host:6379/1");
  }
  url.database = static_cast<std::uint32_t>(*number);
  return {};
}

Status ReadPath(const Parts& parts, RedisUrl& url) {
  if (url.mode == RedisUrl::Mode::kUnixSocket) {
    auto path = PercentDecode(parts.path);
    if (!path) return Invalid("the socket's path has a \"%\" without two hex digits; write %25");
    if (path->size() < 2 || !parts.hosts.empty()) {
      return Invalid("a unix socket is written unix:///path/of/socket?db=N");
    }
    url.socket_path = *std::move(path);
    return {};
  }
  std::string_view database = parts.path.empty() ? parts.path : parts.path.substr(1);
  if (database.ends_with('/')) database.remove_suffix(1);
  return database.empty() ? Status() : ReadDatabase(database, url);
}

}  // namespace

Result<RedisUrl> ParseRedisUrl(std::string_view text, const Environment& environment) {
  if (text.empty()) return Invalid("it is empty; " + std::string(kHowToWrite));
  TRY(const Parts parts, Split(text));
  RedisUrl url;
  TRY_STATUS(ReadUserInfo(parts, url));
  if (parts.scheme == "unix") {
    url.mode = RedisUrl::Mode::kUnixSocket;
  } else {
    TRY_STATUS(ReadHosts(parts.hosts, url));
  }
  if (parts.scheme == "rediss") url.tls.emplace();
  TRY_STATUS(ReadPath(parts, url));
  TRY(const auto database, ApplyQuery(parts.query, url));
  if (database) TRY_STATUS(ReadDatabase(*database, url));
  TRY_STATUS(ReadSecretsOfEnvironment(environment, url));
  return url;
}

std::string RedisUrl::Display() const {
  std::string text = mode == Mode::kUnixSocket ? "unix://" : tls ? "rediss://" : "redis://";
  if (!user.empty() || !password.empty()) {
    text += user;
    if (!password.empty()) text += ":***";
    text += '@';
  }
  if (mode == Mode::kUnixSocket) {
    text += socket_path;
    return database == 0 ? text : text + "?db=" + std::to_string(database);
  }
  std::string separator;
  if (mode == Mode::kSentinel) {
    text += master_name;
    separator = ",";
  }
  for (const HostPort& host : hosts) {
    text += separator + FormatHostPort(host);
    separator = ",";
  }
  return text + "/" + std::to_string(database);
}

}  // namespace prewarm::metadata
