// A Kubernetes API server with its etcd, of a test's own. Custom resources and RBAC behave as in a
// cluster; nothing schedules or runs pods. tests/deps/install.sh brings the programs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/rig/certificates.h"
#include "tests/rig/child_process.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::rig {

struct KubeAnswer {
  int status = 0;  // 0: no answer
  std::string body;
};

class KubeCluster {
 public:
  // Ready when it returns; ends the test program if that takes longer than two minutes.
  // `api_options` go to kube-apiserver as they are.
  explicit KubeCluster(std::vector<std::string> api_options = {});

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] const std::string& ca_file() const { return authority_.ca_file(); }
  [[nodiscard]] const std::string& admin_token() const { return admin_token_; }
  // Of the administrator. `server`: the URL of something in between.
  [[nodiscard]] std::string Kubeconfig(const std::optional<std::string>& server = {}) const;

  // Starting again brings back what etcd holds, on the same port.
  void StopApiServer();
  void StartApiServer();
  [[nodiscard]] ChildProcess& api_server() { return *api_server_; }  // for SIGSTOP and SIGCONT

  // To arrange and to look, as the administrator and by a program that is not ours (curl). `path`
  // as in
  // "/api/v1/nodes"; `type`: the content type of the body.
  [[nodiscard]] KubeAnswer Call(const std::string& method, const std::string& path,
                                std::string_view body = {},
                                const std::string& type = "application/json");
  // Server-side apply of one object, JSON or YAML.
  KubeAnswer Apply(const std::string& path, std::string_view object);
  // What it prints, errors too; ends the test program if it fails.
  std::string Kubectl(std::vector<std::string> arguments);

 private:
  void StartEtcd();
  bool Ready();
  [[nodiscard]] std::string WriteKubeconfig(const std::string& name,
                                            const std::string& server) const;
  [[nodiscard]] std::string NextLog(const std::string& program);

  TempDir folder_;
  std::vector<std::string> api_options_;
  CertificateAuthority authority_;
  KeyPair serving_;
  std::string admin_token_ = "token-of-admin";
  std::uint16_t port_ = 0;
  std::uint16_t etcd_port_ = 0;
  int logs_ = 0;
  std::unique_ptr<ChildProcess> etcd_;
  std::unique_ptr<ChildProcess> api_server_;  // after etcd_: stopped before it
};

}  // namespace prewarm::rig
