#include "common/metadata/host_port.h"

#include <charconv>

namespace prewarm::metadata {
namespace {

Error Invalid(const char* what) {
  return Fail(ErrorCode::kInvalidArgument, std::string("metadata URL: ") + what);
}

}  // namespace

std::optional<std::uint64_t> ParseUnsigned(std::string_view digits, std::uint64_t limit) {
  std::uint64_t number = 0;
  const char* begin = digits.data();
  const char* end = begin + digits.size();
  const auto [stopped, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stopped != end || number > limit) return std::nullopt;
  return number;
}

Result<HostPort> ParseHostPort(std::string_view text, std::uint16_t default_port) {
  HostPort address{.host = {}, .port = default_port};
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == text.npos) return Invalid("an IPv6 address lacks its closing \"]\"");
    address.host = text.substr(1, bracket - 1);
    rest = text.substr(bracket + 1);
    if (!rest.empty() && !rest.starts_with(':')) return Invalid("text after the \"]\" of a host");
  } else {
    const auto colon = text.find(':');
    address.host = text.substr(0, colon);
    if (colon != text.npos) rest = text.substr(colon);
    if (rest.find(':', 1) != rest.npos) {
      return Invalid(
          "more than one \":\" in a host: write an IPv6 address in brackets, and a \":\", \"@\" or "
          "\"/\" of a password as %3A, %40 or %2F");
    }
  }
  if (address.host.empty()) return Invalid("a host name is missing");
  if (rest.size() > 1) {
    const auto port = ParseUnsigned(rest.substr(1), 65535);
    if (!port || *port == 0) {
      return Invalid(
          "a port must be a number from 1 to 65535 (special characters of a password are written "
          "as %XX: \"/\" is %2F)");
    }
    address.port = static_cast<std::uint16_t>(*port);
  }
  return address;
}

std::string FormatHostPort(const HostPort& address) {
  const bool bracketed = address.host.find(':') != std::string::npos;
  return (bracketed ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace prewarm::metadata
