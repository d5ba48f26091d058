// "host:port" as text and back; IPv6 addresses stand in brackets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::metadata {

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

// Decimal digits only, at most `limit`; nothing for any other text.
std::optional<std::uint64_t> ParseUnsigned(std::string_view digits, std::uint64_t limit);

// kInvalidArgument: no host, or a port that is not 1 to 65535. The message does not quote the text:
// in a mistyped URL it may be a part of the password.
Result<HostPort> ParseHostPort(std::string_view text, std::uint16_t default_port);

std::string FormatHostPort(const HostPort& address);

}  // namespace prewarm::metadata
