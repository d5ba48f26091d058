#include "controller/controller_config.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "controller/workload_kinds.h"

namespace prewarm::controller {
namespace {

std::vector<ConfigKey> VolumeKeys(VolumeConfig& volume) {
  return {
      {"meta", "metadata URL, as for juicefs mount; no password in it", TextField(volume.meta)},
      {"meta-file", "a file that holds the URL", TextField(volume.meta_file)},
      {"meta-env", "an environment variable that holds the URL", TextField(volume.meta_env)},
      {"storage", "kind of store, instead of the volume's setting", TextField(volume.storage)},
      {"bucket", "bucket as nodes reach it, instead of the volume's setting",
       TextField(volume.bucket)},
      {"subdir", "paths are relative to this directory of the volume", TextField(volume.subdir)},
      {"cache-dir", "cache directories on the nodes; none: those of each agent's configuration",
       ListField(volume.cache_dirs)},
      {"credentials",
       "ambient: agents have credentials of their own; handed-over: those of the volume's setting\n"
       "are sent over the agent link",
       ChoiceField(volume.credentials, {"ambient", "handed-over"})},
      {"rsa-passphrase-env", "an environment variable with the passphrase to be handed over",
       TextField(volume.rsa_passphrase_env)},
      {"namespaces", "that may use the volume; none: all", ListField(volume.namespaces)},
      {"storage-classes", "StorageClasses whose PersistentVolumes are this volume",
       ListField(volume.storage_classes)},
      {"volume-handles", "of PersistentVolumes that were made by hand and are this volume",
       ListField(volume.volume_handles)},
  };
}

bool IsLoopback(std::string_view listen) {
  return listen.starts_with("127.") || listen.starts_with("localhost:") ||
         listen.starts_with("[::1]:");
}

bool IsVolumeName(const std::string& name) {
  return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

void ValidateVolume(const std::string& name, const VolumeConfig& volume, Problems& problems) {
  const auto where = "volumes." + name;
  if (!IsVolumeName(name)) {
    problems.Add(where + ": a name has 1 to 63 letters, digits, '-', '_' or '.'");
  }
  const int sources = static_cast<int>(!volume.meta.empty()) +
                      static_cast<int>(!volume.meta_file.empty()) +
                      static_cast<int>(!volume.meta_env.empty());
  if (sources != 1) {
    problems.Add(where +
                 ": exactly one of meta, meta-file and meta-env says where the metadata is");
  }
  if (const auto at = volume.meta.rfind('@'); at != std::string::npos) {
    const auto begin = volume.meta.find("://");
    const auto colon = volume.meta.find(':', begin == std::string::npos ? 0 : begin + 3);
    if (colon < at && colon + 1 < at) {
      problems.Add(where +
                   ".meta holds a password: put the URL into a file and name it as meta-file");
    }
  }
  if (!volume.rsa_passphrase_env.empty() && volume.credentials != "handed-over") {
    problems.Add(where + ".rsa-passphrase-env is only used with credentials: handed-over");
  }
}

// Things that the user names, each with `keys` of its own.
template <class T>
ConfigSection NamedEntries(std::string name, std::string help, std::map<std::string, T>& entries,
                           std::vector<ConfigKey> (*keys)(T&)) {
  return {std::move(name),
          std::move(help),
          {},
          [&entries, keys](const std::string& entry) { return keys(entries[entry]); },
          [&entries] {
            std::vector<std::string> names;
            names.reserve(entries.size());
            for (const auto& [entry, value] : entries) names.push_back(entry);
            return names;
          }};
}

}  // namespace

ConfigSchema ControllerConfigSchema(ControllerConfig& config) {
  ConfigSchema schema{
      {"listen",
       "Where callers and agents come in.",
       {{"grpc", "agents, prewarmctl and gRPC callers", TextField(config.grpc_listen)},
        {"http", "REST, metrics and health", TextField(config.http_listen)},
        {"webhook",
         "the API server asks here about new pods, which then prefer warm nodes; none: it may not",
         TextField(config.webhook_listen)},
        {"certificate", "PEM file of all ports; read again when it changes",
         TextField(config.certificate_file)},
        {"key", "its private key, PEM", TextField(config.key_file)},
        {"client-ca", "PEM file of the authorities that sign agents' certificates",
         TextField(config.client_ca_file)},
        {"insecure-loopback", "serve without TLS; only on loopback addresses",
         FlagField(config.insecure_loopback)}},
       {},
       {}},
      {"api",
       "Who may call, and how much.",
       {{"tokens",
         "file of bearer tokens: token,identity,namespace,verbs[,expires]; in a cluster its own\n"
         "tokens and roles count, too",
         TextField(config.tokens_file)},
        {"max-requests", "in flight; more are answered with 429",
         CountField(config.max_requests, 1, 100'000)},
        {"max-prewarms", "not ended; more are refused with 429",
         CountField(config.max_prewarms, 1, 1'000'000)}},
       {},
       {}},
      {"jobs",
       "Where accepted prewarms are durable.",
       {{"database", "SQLite file", TextField(config.database)},
        {"lease", "a leader silent for so long is replaced by a standby",
         DurationField(config.lease)},
        {"keep-ended", "ended prewarms to list; the others are known for a day by id and key",
         CountField(config.keep_ended, 0, 1'000'000)}},
       {},
       {}},
      {"kubernetes",
       "The cluster whose workloads are to find their models warm.",
       {{"enabled", "watch workloads; prewarms and the lease are objects of the cluster then",
         FlagField(config.kubernetes.enabled)},
        {"kubeconfig", "file that says where the API server is; none: as a pod of the cluster",
         TextField(config.kubernetes.kubeconfig)},
        {"context", "of that file; none: its current one", TextField(config.kubernetes.context)},
        {"namespace", "of the lease and the controllers' pods; none: our own",
         TextField(config.kubernetes.name_space)},
        {"lease", "name of the Lease object that the leader holds",
         TextField(config.kubernetes.lease)},
        {"agent-service-account",
         "whose tokens prove which node an agent is of: NAME in that namespace, or NAMESPACE/NAME",
         TextField(config.kubernetes.agent_service_account)},
        {"builder-storage-class", "StorageClass through which the image builder seeds models",
         TextField(config.kubernetes.builder_storage_class)},
        {"mark-nodes",
         "label nodes with what is warm there, and take the startup taint off new ones; needs the\n"
         "right to patch nodes",
         FlagField(config.kubernetes.mark_nodes)}},
       {},
       {}},
      {"fleet",
       "How much the nodes may do. Rates in Mbit/s, or with a unit such as 2G; 0: no limit.\n"
       "Changed limits are taken over on SIGHUP.",
       {{"origin-limit", "from stores, all nodes together", RateField(config.limits.origin)},
        {"node-download-limit", "from stores, each node", RateField(config.limits.node_download)},
        {"node-disk-write-limit", "to cache directories, each node",
         RateField(config.limits.node_disk_write)},
        {"agent-timeout", "a node away for so long fails its tasks",
         DurationField(config.agent_timeout)},
        {"follow-interval",
         "how often kept prewarms are compared with metadata that does not tell of changes",
         DurationField(config.follow_interval)}},
       {},
       {}},
      {"log",
       "One line on stderr for each change of state.",
       {{"level", "from which level on",
         ChoiceField(config.log_level, {"debug", "info", "warn", "error"})},
        {"format", "text or json", ChoiceField(config.log_format, {"text", "json"})}},
       {},
       {}},
  };
  schema.push_back(
      NamedEntries("volumes",
                   "JuiceFS volumes that prewarms may name, each with keys of its own.\n"
                   "Changes are taken over on SIGHUP.",
                   config.volumes, VolumeKeys));
  schema.push_back(NamedEntries(
      "workloads",
      "Kinds of workload to watch in a cluster besides BentoDeployment, Deployment and\n"
      "InferenceService, or instead of one of them, each under a name and with keys of "
      "its\nown. Needs the right to list and watch them.",
      config.workloads, WorkloadKindKeys));
  return schema;
}

void ValidateControllerConfig(const ControllerConfig& config, Problems& problems) {
  if (config.certificate_file.empty() != config.key_file.empty()) {
    problems.Add("listen.certificate and listen.key are given together");
  }
  if (config.certificate_file.empty()) {
    if (!config.insecure_loopback) {
      problems.Add(
          "listen.certificate is missing; to serve without TLS on loopback only, set "
          "listen.insecure-loopback: true");
    }
    for (const auto& listen : {config.grpc_listen, config.http_listen}) {
      if (!IsLoopback(listen)) {
        problems.Add("listen: " + listen +
                     " is not a loopback address, and that needs "
                     "listen.certificate");
      }
    }
  } else if (config.client_ca_file.empty()) {
    problems.Add("listen.client-ca is missing: agents prove with it who they are");
  }
  if (!config.webhook_listen.empty() && config.certificate_file.empty()) {
    problems.Add("listen.webhook needs listen.certificate: the API server asks by TLS only");
  }
  if (config.tokens_file.empty() && !config.kubernetes.enabled) {
    problems.Add("api.tokens is missing: the file that says who may call");
  }
  const auto& kubernetes = config.kubernetes;
  if (!kubernetes.enabled && !kubernetes.kubeconfig.empty()) {
    problems.Add("kubernetes.kubeconfig is only used with kubernetes.enabled: true");
  }
  if (kubernetes.kubeconfig.empty() && !kubernetes.context.empty()) {
    problems.Add("kubernetes.context names a context of kubernetes.kubeconfig, which is missing");
  }
  const auto& account = kubernetes.agent_service_account;
  const auto slash = account.find('/');
  if (account.empty() || slash == 0 || slash + 1 == account.size() ||
      std::ranges::count(account, '/') > 1) {
    problems.Add("kubernetes.agent-service-account: \"" + account +
                 "\" is not NAME or NAMESPACE/NAME");
  }
  if (config.lease < std::chrono::milliseconds(200)) {
    problems.Add("jobs.lease must be at least 200ms");
  }
  for (const auto& [name, volume] : config.volumes) ValidateVolume(name, volume, problems);
  if (!config.workloads.empty() && !kubernetes.enabled) {
    problems.Add("workloads is only used with kubernetes.enabled: true");
  }
  ValidateWorkloadKinds(config.workloads, problems);
}

}  // namespace prewarm::controller
