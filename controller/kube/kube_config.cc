#include "controller/kube/kube_config.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>

#include "common/base/units.h"

namespace prewarm::controller::kube {
namespace {

constexpr std::size_t kFileLimit = 4_MiB;

Error Problem(const std::string& where, const std::string& what) {
  return Fail(ErrorCode::kInvalidConfig, where + ": " + what);
}

std::string WithoutBrackets(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
  return host;
}

std::string Trimmed(std::string text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  text.erase(end == std::string::npos ? 0 : end + 1);
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? std::string() : text.substr(begin);
}

}  // namespace

std::uint16_t ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto* begin = text.begin();
  const auto [stopped, error] = std::from_chars(begin, begin + text.size(), port);
  return error == std::errc() && stopped == text.end() ? port : std::uint16_t{0};
}

Result<std::string> ReadSmallFile(const std::string& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return Problem(file, ErrnoError(errno, "reading").message);
  std::string text;
  std::array<char, 64U << 10> piece{};
  while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kFileLimit) {
      return Problem(file, "is larger than " + FormatBytes(kFileLimit));
    }
  }
  if (in.bad()) return Problem(file, "cannot be read");
  return text;
}

bool IsToken(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; });
}

Result<Secret> ReadTokenFile(const std::string& file) {
  TRY(auto text, ReadSmallFile(file));
  auto token = Trimmed(std::move(text));
  if (token.empty()) return Problem(file, "is empty, and should hold a token");
  if (!IsToken(token)) return Problem(file, "holds more than a token");
  return Secret(std::move(token));
}

Result<KubeConfig> LoadKubeconfig(const std::string& file, const std::string& context) {
  TRY(const auto text, ReadSmallFile(file));
  return ParseKubeconfig(text, file, context);
}

Result<KubeConfig> InClusterConfig(const EnvironmentLookup& environment,
                                   const std::string& folder) {
  const auto host = environment("KUBERNETES_SERVICE_HOST").value_or("");
  const auto port = environment("KUBERNETES_SERVICE_PORT").value_or("");
  if (host.empty() && port.empty()) {
    return Fail(ErrorCode::kNotFound,
                "this is not a pod (KUBERNETES_SERVICE_HOST is not set); give a kubeconfig file");
  }
  if (host.empty()) return Problem("KUBERNETES_SERVICE_HOST", "is not set");
  KubeConfig config;
  config.origin = "the pod's service account";
  config.host = WithoutBrackets(host);
  config.port = ParsePort(port);
  if (config.port == 0) {
    return Problem("KUBERNETES_SERVICE_PORT", "is \"" + port + "\", which is not a port");
  }
  config.ca_file = folder + "/ca.crt";
  config.token_file = folder + "/token";
  constexpr auto kRemedy = "; is automountServiceAccountToken set to false for this pod?";
  if (const auto ca = ReadSmallFile(config.ca_file); !ca) {
    return Problem("service account", ca.error().message + kRemedy);
  }
  if (const auto token = ReadTokenFile(config.token_file); !token) {
    return Problem("service account", token.error().message + kRemedy);
  }
  if (const auto ns = ReadSmallFile(folder + "/namespace"); ns && !Trimmed(*ns).empty()) {
    config.ns = Trimmed(*ns);
  }
  return config;
}

}  // namespace prewarm::controller::kube
