#include "common/net/http_handler.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <cstdint>

namespace prewarm::net {
namespace {

// For texts of ours and what they quote; anything that JSON would have to escape at length is
// left out.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7f) quoted += c;
  }
  return quoted + '"';
}

auto IsNamed(std::string_view name) {
  return [name](const std::pair<std::string, std::string>& header) {
    return boost::beast::iequals({header.first.data(), header.first.size()},
                                 {name.data(), name.size()});
  };
}

}  // namespace

std::optional<std::string_view> HttpServerRequest::Header(std::string_view name) const {
  const auto found = std::ranges::find_if(headers, IsNamed(name));
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

std::size_t HttpServerRequest::Count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(headers, IsNamed(name)));
}

HttpResponse PlainProblem(unsigned status, std::string_view detail) {
  const auto title = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  return {status,
          {{"Content-Type", "application/problem+json"}},
          R"({"type":"about:blank","title":)" + Quoted({title.data(), title.size()}) +
              R"(,"status":)" + std::to_string(status) + R"(,"detail":)" + Quoted(detail) + "}\n"};
}

}  // namespace prewarm::net
