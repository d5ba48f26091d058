#include "tests/rig/kube_cluster.h"

#include <signal.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "tests/rig/source_dir.h"

namespace prewarm::rig {
namespace {

constexpr std::chrono::seconds kStartLimit{120};  // an idle machine needs two; others may compile
constexpr int kEtcdAttempts = 3;                  // somebody may take a free port in between

std::string Tool(const std::string& name) {
  const char* tools = std::getenv("PREWARM_TEST_TOOLS");
  const auto folder =
      tools != nullptr ? std::filesystem::path(tools) : SourceDir() / "build/tools/bin";
  const auto path = folder / name;
  PREWARM_CHECK(std::filesystem::exists(path), path.c_str());
  return path.string();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string Loopback(std::uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); }

}  // namespace

KubeCluster::KubeCluster(std::vector<std::string> api_options)
    : api_options_(std::move(api_options)),
      authority_(folder_.path()),
      serving_(
          authority_.Issue("apiserver", "IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc")),
      port_(FreePort()) {
  WriteFile(folder_ / "tokens.csv", admin_token_ + ",admin,admin,\"system:masters\"\n");
  ChildProcess keys({"openssl", "genrsa", "-out", folder_ / "service-accounts.key", "2048"},
                    folder_ / "openssl-genrsa.log");
  PREWARM_CHECK(keys.Wait() == 0, keys.Log().c_str());
  StartEtcd();
  StartApiServer();
}

std::string KubeCluster::NextLog(const std::string& program) {
  return folder_ / (program + "-" + std::to_string(logs_++) + ".log");
}

void KubeCluster::StartEtcd() {
  for (int attempt = 1;; ++attempt) {
    etcd_port_ = FreePort();
    const std::string clients = Loopback(etcd_port_);
    const std::string peers = Loopback(FreePort());
    etcd_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{Tool("etcd"), "--data-dir", folder_ / "etcd", "--unsafe-no-fsync",
                                 "--log-level=error", "--listen-client-urls", clients,
                                 "--advertise-client-urls", clients, "--listen-peer-urls", peers,
                                 "--initial-advertise-peer-urls", peers, "--initial-cluster",
                                 "default=" + peers},
        NextLog("etcd"));
    const bool settled = WaitFor(
        [this] { return AcceptsConnections(etcd_port_) || !etcd_->Running(); }, kStartLimit);
    if (settled && etcd_->Running()) return;
    PREWARM_CHECK(attempt < kEtcdAttempts, etcd_->Log().c_str());
  }
}

void KubeCluster::StartApiServer() {
  const std::string keys = folder_ / "service-accounts.key";
  std::vector<std::string> argv{Tool("kube-apiserver"),
                                "--etcd-servers=" + Loopback(etcd_port_),
                                "--bind-address=127.0.0.1",
                                "--secure-port=" + std::to_string(port_),
                                "--tls-cert-file=" + serving_.certificate_file,
                                "--tls-private-key-file=" + serving_.key_file,
                                "--client-ca-file=" + authority_.ca_file(),
                                "--cert-dir=" + folder_.path().string(),
                                "--service-account-key-file=" + keys,
                                "--service-account-signing-key-file=" + keys,
                                "--service-account-issuer=https://kubernetes.default.svc",
                                "--token-auth-file=" + (folder_ / "tokens.csv"),
                                "--authorization-mode=RBAC",
                                "--anonymous-auth=false",
                                "--service-cluster-ip-range=10.0.0.0/24",
                                "--disable-admission-plugins=ServiceAccount",
                                "--profiling=false"};
  argv.insert(argv.end(), api_options_.begin(), api_options_.end());
  api_server_ = std::make_unique<ChildProcess>(std::move(argv), NextLog("kube-apiserver"));
  const bool settled = WaitFor([this] { return !api_server_->Running() || Ready(); }, kStartLimit);
  PREWARM_CHECK(settled && api_server_->Running(), api_server_->Log().c_str());
}

void KubeCluster::StopApiServer() {
  api_server_->Signal(SIGKILL);
  api_server_->Wait();
}

// A loop of the server makes the namespaces a moment after it says that it is ready.
bool KubeCluster::Ready() {
  return AcceptsConnections(port_) && Call("GET", "/readyz").status == 200 &&
         Call("GET", "/api/v1/namespaces/default").status == 200 &&
         Call("GET", "/api/v1/namespaces/kube-system").status == 200;
}

std::string KubeCluster::Kubeconfig(const std::optional<std::string>& server) const {
  return server ? WriteKubeconfig("elsewhere.kubeconfig", *server)
                : WriteKubeconfig("admin.kubeconfig", url());
}

std::string KubeCluster::WriteKubeconfig(const std::string& name, const std::string& server) const {
  const std::string path = folder_ / name;
  WriteFile(path,
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n"
            "clusters:\n- name: test\n  cluster:\n    server: " +
                server + "\n    certificate-authority: " + ca_file() +
                "\nusers:\n- name: admin\n  user:\n    token: " + admin_token_ +
                "\ncontexts:\n- name: test\n  context:\n    cluster: test\n    user: admin\n");
  return path;
}

KubeAnswer KubeCluster::Call(const std::string& method, const std::string& path,
                             std::string_view body, const std::string& type) {
  const std::string sent = folder_ / "request";
  const std::string received = folder_ / "answer";
  const std::string log = NextLog("curl");
  WriteFile(sent, body);
  WriteFile(received, "");
  std::vector<std::string> argv{
      "curl",        "--silent",    "--max-time", "30",
      "--cacert",    ca_file(),     "--header",   "Authorization: Bearer " + admin_token_,
      "--request",   method,        "--output",   received,
      "--write-out", "%{http_code}"};
  if (!body.empty()) {
    argv.insert(argv.end(), {"--header", "Content-Type: " + type, "--data-binary", "@" + sent});
  }
  argv.push_back(url() + path);
  ChildProcess curl(std::move(argv), log);
  curl.Wait();
  KubeAnswer answer;
  const std::string code = curl.Log();
  std::from_chars(code.data(), code.data() + code.size(), answer.status);
  answer.body = ReadFile(received);
  std::filesystem::remove(log);
  return answer;
}

KubeAnswer KubeCluster::Apply(const std::string& path, std::string_view object) {
  return Call("PATCH", path + "?fieldManager=test&force=true&fieldValidation=Strict", object,
              "application/apply-patch+yaml");
}

std::string KubeCluster::Kubectl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {Tool("kubectl"), "--kubeconfig", Kubeconfig(), "--cache-dir",
                                       folder_ / "kubectl-cache"});
  ChildProcess kubectl(std::move(arguments), NextLog("kubectl"));
  const int code = kubectl.Wait();
  PREWARM_CHECK(code == 0, kubectl.Log().c_str());
  return kubectl.Log();
}

}  // namespace prewarm::rig
