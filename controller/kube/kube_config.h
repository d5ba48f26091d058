// Where the Kubernetes API is and who we are to it: from a kubeconfig file, or from what the
// kubelet gives to every pod. Problems name the file, the key and what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace prewarm::controller::kube {

class RequestMeter;

struct KubeConfig {
  std::string host;  // name or address, without brackets
  std::uint16_t port = 443;
  bool tls = true;
  std::string path_prefix;  // of the server's URL: "/k8s/clusters/c-1"; empty mostly
  std::string tls_server_name;
  bool verify = true;

  // Each as a file that is read again when it changes, or as PEM text; both empty: not used (of the
  // authority: the system's trust store).
  std::string ca_file;
  std::string ca_pem;
  std::string certificate_file;
  std::string certificate_pem;
  std::string key_file;
  Secret key_pem;

  std::string token_file;
  Secret token;

  std::string ns = "default";  // namespace of the context, or of our pod
  std::string origin;          // for messages: "/etc/me/.kube/config, context dev"

  RequestMeter* meter = nullptr;  // hears of every request; outlives the clients; null: nobody does
};

// `context` empty: the file's current-context. Relative paths in the file are relative to it.
// kInvalidConfig.
Result<KubeConfig> ParseKubeconfig(std::string_view text, const std::string& file,
                                   const std::string& context);
// Blocks on the file.
Result<KubeConfig> LoadKubeconfig(const std::string& file, const std::string& context);

using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view)>;
inline constexpr std::string_view kServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";

// Blocks on the files of `folder`. kNotFound: this is no pod (the variables are not there);
// kInvalidConfig: it is one, and something is missing.
Result<KubeConfig> InClusterConfig(const EnvironmentLookup& environment,
                                   const std::string& folder = std::string(kServiceAccountFolder));

// Blocks. kInvalidConfig: it cannot be read, is larger than 4 MiB, or does not hold just a token.
Result<std::string> ReadSmallFile(const std::string& file);
// 0: not a port.
std::uint16_t ParsePort(std::string_view text);
// Whether it can stand in a header: no spaces, line ends or control characters.
bool IsToken(std::string_view text);
Result<Secret> ReadTokenFile(const std::string& file);

}  // namespace prewarm::controller::kube
