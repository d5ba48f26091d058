// The kubeconfig file: contexts that join a cluster and a user. What we do not know how to honour
// is an error and never passed over, because it would change who we are or whom we trust.
#include <yaml-cpp/yaml.h>

#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <filesystem>
#include <vector>

#include "controller/kube/base64.h"
#include "controller/kube/kube_config.h"

namespace prewarm::controller::kube {
namespace {

Error Problem(const std::string& where, const std::string& what) {
  return Fail(ErrorCode::kInvalidConfig, where + ": " + what);
}

// One map of the file, and where it is, for messages.
class Section {
 public:
  Section(const YAML::Node& node, std::string where) : node_(node), where_(std::move(where)) {}

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] bool Has(const char* key) const {
    const auto value = node_[key];
    return value && !value.IsNull();
  }
  [[nodiscard]] Error ProblemOf(const char* key, const std::string& what) const {
    return Problem(where_ + "." + key, what);
  }
  // Empty where it is not given.
  [[nodiscard]] Result<std::string> Text(const char* key) const {
    if (!Has(key)) return std::string();
    const auto value = node_[key];
    if (!value.IsScalar()) return ProblemOf(key, "must be a text");
    return value.Scalar();
  }
  [[nodiscard]] Result<bool> Flag(const char* key) const {
    TRY(const auto text, Text(key));
    if (text.empty() || text == "false") return false;
    if (text == "true") return true;
    return ProblemOf(key, "must be true or false");
  }
  // The decoded text of a "…-data" key, which is PEM.
  [[nodiscard]] Result<std::string> Pem(const char* key) const {
    TRY(const auto text, Text(key));
    auto bytes = DecodeBase64(text);
    if (!bytes) return ProblemOf(key, "is not base64; give the PEM file's bytes as base64");
    if (!bytes->empty() && bytes->find("-----BEGIN ") == std::string::npos) {
      return ProblemOf(key, "is base64, but not of a PEM text");
    }
    return bytes;
  }
  // As the file means it: relative to the folder that the file lies in.
  [[nodiscard]] Result<std::string> Path(const char* key, const std::string& file) const {
    TRY(auto path, Text(key));
    if (path.empty() || path.front() == '/') return path;
    return (std::filesystem::path(file).parent_path() / path).string();
  }

 private:
  YAML::Node node_;
  std::string where_;
};

// The entry of `list` that is called `name`; its map is under `inner`.
Result<Section> Named(const YAML::Node& root, const std::string& file, const char* list,
                      const char* inner, const std::string& name) {
  const auto entries = root[list];
  if (!entries || !entries.IsSequence()) return Problem(file + ": " + list, "must be a list");
  std::string known;
  for (const auto& entry : entries) {
    if (!entry.IsMap() || !entry["name"] || !entry["name"].IsScalar()) continue;
    const auto& found = entry["name"].Scalar();
    if (found != name) {
      known += (known.empty() ? "" : ", ") + found;
      continue;
    }
    const std::string where = file + ": " + list + "[" + name + "]." + inner;
    if (!entry[inner] || !entry[inner].IsMap()) return Problem(where, "must be a map");
    return Section(entry[inner], where);
  }
  return Problem(file + ": " + list,
                 "has no \"" + name + "\"" + (known.empty() ? "" : "; there is " + known));
}

Status ReadServer(const Section& cluster, KubeConfig& config) {
  TRY(const auto text, cluster.Text("server"));
  if (text.empty()) return cluster.ProblemOf("server", "is missing; give https://HOST:PORT");
  const auto url = boost::urls::parse_uri(text);
  const bool usable = url && (url->scheme() == "https" || url->scheme() == "http") &&
                      !url->host().empty() && !url->has_userinfo() && !url->has_query() &&
                      !url->has_fragment() && (!url->has_port() || ParsePort(url->port()) != 0);
  if (!usable) {
    return cluster.ProblemOf("server", "is \"" + text + "\"; give https://HOST:PORT");
  }
  config.tls = url->scheme() == "https";
  config.host = url->host_address();
  config.port = config.tls ? 443 : 80;
  if (url->has_port()) config.port = ParsePort(url->port());
  config.path_prefix = std::string(url->encoded_path());
  while (config.path_prefix.ends_with('/')) config.path_prefix.pop_back();
  return {};
}

Status ReadCluster(const Section& cluster, const std::string& file, KubeConfig& config) {
  TRY_STATUS(ReadServer(cluster, config));
  if (cluster.Has("proxy-url")) {
    return cluster.ProblemOf("proxy-url", "proxies are not supported; connect directly");
  }
  TRY(config.tls_server_name, cluster.Text("tls-server-name"));
  TRY(const bool skip_verify, cluster.Flag("insecure-skip-tls-verify"));
  config.verify = !skip_verify;
  TRY(config.ca_pem, cluster.Pem("certificate-authority-data"));
  TRY(config.ca_file, cluster.Path("certificate-authority", file));
  if (!config.ca_pem.empty()) config.ca_file.clear();
  if (skip_verify && !(config.ca_pem.empty() && config.ca_file.empty())) {
    return cluster.ProblemOf("insecure-skip-tls-verify",
                             "contradicts the certificate authority; take one of them away");
  }
  return {};
}

// What would make us somebody else if it were passed over.
Status RefuseUnsupported(const Section& user) {
  constexpr auto kInstead = "; use a client certificate, a token or a tokenFile";
  constexpr std::array<std::pair<const char*, const char*>, 7> kUnsupported = {{
      {"exec", "credential plugins are not supported"},
      {"auth-provider", "credential plugins are not supported"},
      {"username", "passwords are not supported, nor are they by the API server"},
      {"password", "passwords are not supported, nor are they by the API server"},
      {"as", "acting as somebody else is not supported"},
      {"as-uid", "acting as somebody else is not supported"},
      {"as-groups", "acting as somebody else is not supported"},
  }};
  for (const auto& [key, why] : kUnsupported) {
    if (user.Has(key)) return user.ProblemOf(key, std::string(why) + kInstead);
  }
  return {};
}

Status ReadUser(const Section& user, const std::string& file, KubeConfig& config) {
  TRY_STATUS(RefuseUnsupported(user));
  TRY(config.certificate_pem, user.Pem("client-certificate-data"));
  TRY(config.certificate_file, user.Path("client-certificate", file));
  if (!config.certificate_pem.empty()) config.certificate_file.clear();
  TRY(auto key_pem, user.Pem("client-key-data"));
  config.key_pem = Secret(std::move(key_pem));
  TRY(config.key_file, user.Path("client-key", file));
  if (!config.key_pem.empty()) config.key_file.clear();
  const bool has_certificate = !config.certificate_pem.empty() || !config.certificate_file.empty();
  const bool has_key = !config.key_pem.empty() || !config.key_file.empty();
  if (has_certificate && !has_key) return user.ProblemOf("client-key", "is missing");
  if (has_key && !has_certificate) return user.ProblemOf("client-certificate", "is missing");
  TRY(config.token_file, user.Path("tokenFile", file));
  TRY(auto token, user.Text("token"));
  if (!IsToken(token)) return user.ProblemOf("token", "holds more than a token");
  config.token = Secret(std::move(token));
  return {};
}

Result<KubeConfig> Read(const YAML::Node& root, const std::string& file, std::string context) {
  if (!root.IsMap()) return Problem(file, "is not a kubeconfig file: it must be a map");
  if (context.empty()) {
    TRY(context, Section(root, file).Text("current-context"));
    if (context.empty()) {
      return Problem(file + ": current-context", "is missing; set it, or name a context");
    }
  }
  KubeConfig config;
  config.origin = file + ", context " + context;
  TRY(const auto chosen, Named(root, file, "contexts", "context", context));
  TRY(const auto cluster, chosen.Text("cluster"));
  if (cluster.empty()) return chosen.ProblemOf("cluster", "is missing");
  TRY(const auto user, chosen.Text("user"));
  TRY(auto ns, chosen.Text("namespace"));
  if (!ns.empty()) config.ns = std::move(ns);
  TRY(const auto cluster_section, Named(root, file, "clusters", "cluster", cluster));
  TRY_STATUS(ReadCluster(cluster_section, file, config));
  if (!user.empty()) {
    TRY(const auto user_section, Named(root, file, "users", "user", user));
    TRY_STATUS(ReadUser(user_section, file, config));
  }
  if (!config.tls && !(config.token.empty() && config.token_file.empty())) {
    return cluster_section.ProblemOf("server", "is http, and a token would be readable on the way");
  }
  return config;
}

}  // namespace

Result<KubeConfig> ParseKubeconfig(std::string_view text, const std::string& file,
                                   const std::string& context) {
  try {
    return Read(YAML::Load(std::string(text)), file, context);
  } catch (const YAML::Exception& error) {
    return Problem(file + ":" + std::to_string(error.mark.line + 1), "is not YAML: " + error.msg);
  }
}

}  // namespace prewarm::controller::kube
