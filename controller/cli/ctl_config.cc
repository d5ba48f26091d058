#include "controller/cli/ctl_config.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace prewarm::ctl {
namespace {

// Long enough for any signed token.
constexpr std::size_t kMostToken = 16 << 10;

struct Endpoint {
  std::string host;
  std::string port;
};

// "host:port", "[::1]:port".
std::optional<Endpoint> Split(const std::string& server) {
  const auto colon = server.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  auto host = server.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return Endpoint{host, server.substr(colon + 1)};
}

bool IsPort(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

ConfigSchema CtlConfigSchema(CtlConfig& config) {
  return {
      {"controller",
       "The controller to talk to, and who is asking.",
       {{"server", "address and port of the controller's gRPC service",
         TextField(config.server, "HOST:PORT")},
        {"namespace",
         "of the prewarms, where the controller works for a cluster; empty: that of the token",
         TextField(config.name_space, "NAME")},
        {"token-file", "file with the bearer token; read anew for every call",
         TextField(config.token_file, "FILE")},
        {"ca",
         "file with the certificates that the controller's is checked against (PEM); "
         "empty: the system's",
         TextField(config.ca, "FILE")},
        {"insecure", "talk without TLS, which is allowed to this machine only",
         FlagField(config.insecure)}},
       {},
       {}},
  };
}

Environment ProcessEnvironment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::string DefaultConfigFile(const Environment& environment) {
  if (const auto base = environment("XDG_CONFIG_HOME"); base && !base->empty()) {
    return *base + "/prewarm/ctl.yaml";
  }
  if (const auto home = environment("HOME"); home && !home->empty()) {
    return *home + "/.config/prewarm/ctl.yaml";
  }
  return "";
}

void ApplyEnvironment(const Environment& environment, CtlConfig& config) {
  const auto set = [&](std::string_view name, const std::function<void(std::string)>& use) {
    if (auto value = environment(name); value && !value->empty()) use(*std::move(value));
  };
  set("PREWARM_SERVER", [&](std::string value) { config.server = std::move(value); });
  set("PREWARM_NAMESPACE", [&](std::string value) { config.name_space = std::move(value); });
  set("PREWARM_CA", [&](std::string value) { config.ca = std::move(value); });
  set("PREWARM_TOKEN", [&](std::string value) { config.token = Secret(std::move(value)); });
}

void CheckConnection(const CtlConfig& config, Problems& problems) {
  const auto endpoint = Split(config.server);
  if (!endpoint || !IsPort(endpoint->port)) {
    problems.Add("server: \"" + config.server + "\" is not HOST:PORT, such as 127.0.0.1:9480");
    return;
  }
  // It travels as a header.
  const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!std::ranges::all_of(config.name_space, printable)) {
    problems.Add("namespace: \"" + config.name_space + "\" is not the name of a namespace");
  }
  if (config.insecure && !IsLoopback(endpoint->host)) {
    problems.Add("insecure: \"" + endpoint->host +
                 "\" is not this machine, and the token would travel in the clear: use TLS "
                 "(--ca names the authority)");
  }
  if (config.insecure && !config.ca.empty()) {
    problems.Add("insecure: does not go with ca: there is no certificate without TLS");
  }
}

Result<Secret> ReadToken(const CtlConfig& config) {
  if (!config.token.empty() || config.token_file.empty()) return config.token;
  const auto fail = [&](const std::string& why) {
    return Fail(ErrorCode::kInvalidConfig, "token file " + config.token_file + ": " + why);
  };
  std::ifstream file(config.token_file, std::ios::binary);
  if (!file) return fail(std::strerror(errno));
  std::string text(kMostToken + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail("cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && IsSpace(text.back())) text.pop_back();
  if (text.empty()) return fail("is empty");
  if (text.size() > kMostToken || std::ranges::any_of(text, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f;
      })) {
    return fail("is not one line with a token");
  }
  return Secret(std::move(text));
}

}  // namespace prewarm::ctl
