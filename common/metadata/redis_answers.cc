#include "common/metadata/redis_answers.h"

#include <array>
#include <utility>

namespace prewarm::metadata {
namespace {

// Order matters where one is the beginning of another.
constexpr std::array<std::pair<std::string_view, Verdict>, 12> kMeanings{{
    {"MOVED ", Verdict::kMoved},
    {"ASK ", Verdict::kAsk},
    {"TRYAGAIN", Verdict::kWait},
    {"BUSY ", Verdict::kWait},
    {"LOADING", Verdict::kElsewhere},
    {"CLUSTERDOWN", Verdict::kElsewhere},
    {"MASTERDOWN", Verdict::kElsewhere},
    {"ERR max number of clients", Verdict::kElsewhere},
    {"NOAUTH", Verdict::kRefused},
    {"WRONGPASS", Verdict::kRefused},
    {"ERR invalid password", Verdict::kRefused},
    {"ERR operation not permitted", Verdict::kRefused},
}};

}  // namespace

Verdict Judge(const net::RedisReply& reply) {
  if (!reply.is_error()) return Verdict::kAnswer;
  for (const auto& [beginning, verdict] : kMeanings) {
    if (reply.text.starts_with(beginning)) return verdict;
  }
  return Verdict::kAnswer;
}

std::optional<HostPort> RedirectTarget(std::string_view error, const HostPort& asked) {
  const auto space = error.rfind(' ');
  const auto colon = error.rfind(':');
  if (space == error.npos || colon == error.npos || colon < space) return std::nullopt;
  std::string_view host = error.substr(space + 1, colon - space - 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = ParseUnsigned(error.substr(colon + 1), 65535);
  if (!port || *port == 0) return std::nullopt;
  return HostPort{.host = host.empty() ? asked.host : std::string(host),
                  .port = static_cast<std::uint16_t>(*port)};
}

Error ErrorOf(const net::RedisReply& reply, const std::string& what) {
  const std::string message = what + ": " + reply.text;
  switch (Judge(reply)) {
    case Verdict::kWait:
    case Verdict::kElsewhere:
    case Verdict::kMoved:
    case Verdict::kAsk: return Fail(ErrorCode::kUnavailable, message, Reason::kServerError);
    case Verdict::kRefused: return Fail(ErrorCode::kPermission, message, Reason::kAccessDenied);
    case Verdict::kAnswer: break;
  }
  if (reply.text.starts_with("NOPERM")) {
    return Fail(ErrorCode::kPermission, message, Reason::kAccessDenied);
  }
  return Fail(ErrorCode::kInternal, message, Reason::kServerError);
}

}  // namespace prewarm::metadata
