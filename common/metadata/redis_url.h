// A metadata URL as the JuiceFS client takes it, understood and with its secrets apart.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/metadata/host_port.h"

namespace prewarm::metadata {

struct RedisTls {
  std::string ca_file;           // empty: the system's
  std::string certificate_file;  // client certificate, optional
  std::string key_file;
  std::string server_name;  // empty: the host of each connection
  bool verify = true;
  bool operator==(const RedisTls&) const = default;
};

struct RedisUrl {
  enum class Mode : std::uint8_t {
    kSingle,  // standalone or a cluster's only seed: found out when connecting
    kUnixSocket,
    kSentinel,
    kCluster,
  };
  Mode mode = Mode::kSingle;
  std::vector<HostPort> hosts;  // the server, the sentinels or the cluster's seeds
  std::string socket_path;      // kUnixSocket
  std::string master_name;      // kSentinel
  std::string user;
  Secret password;
  Secret sentinel_password;
  std::uint32_t database = 0;
  std::optional<RedisTls> tls;
  std::chrono::milliseconds read_timeout{30000};
  std::chrono::milliseconds write_timeout{5000};

  // The URL for messages: everything but the password, which shows as ***.
  [[nodiscard]] std::string Display() const;
};

// The value of an environment variable, if set; handed in so that parsing stays pure.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// Understands every form of juicefs' metadata URL for Redis; passwords missing from the URL come
// from REDIS_PASSWORD, META_PASSWORD or the file named by META_PASSWORD_FILE, Sentinel's from
// SENTINEL_PASSWORD. kInvalidArgument: another engine ("tikv://"), a port or database out of range,
// an unreadable password file; the message never holds the password.
Result<RedisUrl> ParseRedisUrl(std::string_view text, const Environment& environment);

}  // namespace prewarm::metadata
