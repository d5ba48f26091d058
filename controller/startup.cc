#include "controller/startup.h"

#include <unistd.h>

#include <cstdlib>
#include <random>
#include <utility>

#include "common/process/config_file.h"
#include "controller/jobs/kube_job_store.h"
#include "controller/jobs/sqlite_job_store.h"

namespace prewarm::controller {

Result<ControllerConfig> ReadControllerConfig(const std::string& file, ErrorCode code) {
  ControllerConfig config;
  Problems problems;
  if (!file.empty()) ReadConfigFile(ControllerConfigSchema(config), file, problems);
  if (problems.empty()) ValidateControllerConfig(config, problems);
  TRY_STATUS(problems.ToStatus(code));
  return config;
}

std::string PodName() {
  const char* name = std::getenv("POD_NAME");
  return name == nullptr ? "" : name;
}

std::string HostName() {
  if (auto pod = PodName(); !pod.empty()) return pod;
  std::string host(256, '\0');
  ::gethostname(host.data(), host.size() - 1);
  host.resize(host.find('\0'));
  return host;
}

std::string HolderName() {
  return HostName() + "/" + std::to_string(::getpid()) + "/" +
         std::to_string(std::random_device{}());
}

Result<std::optional<kube::KubeConfig>> FindCluster(const KubernetesConfig& config) {
  if (!config.enabled) return std::optional<kube::KubeConfig>();
  if (!config.kubeconfig.empty()) {
    TRY(auto kube, kube::LoadKubeconfig(config.kubeconfig, config.context));
    return std::optional(std::move(kube));
  }
  auto kube = kube::InClusterConfig([](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  if (!kube && kube.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kInvalidConfig,
                "kubernetes.enabled is set, but this is no pod of a cluster: name a file as "
                "kubernetes.kubeconfig");
  }
  TRY(auto found, std::move(kube));
  return std::optional(std::move(found));
}

Result<std::unique_ptr<JobStore>> OpenStore(const ControllerConfig& config, const Clock& clock,
                                            const std::optional<kube::KubeConfig>& kube) {
  if (!kube) return OpenSqliteJobStore(config.database, clock, config.lease);
  const auto& own = config.kubernetes;
  return OpenKubeJobStore(
      *kube, clock,
      {{own.name_space.empty() ? kube->ns : own.name_space, own.lease}, config.lease});
}

}  // namespace prewarm::controller
