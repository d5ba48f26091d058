// What controller.yaml says. config/controller.yaml shows each key at its default; secrets are not
// in it but in the files and environment variables that it names.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/secret.h"
#include "common/process/config_schema.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

// A JuiceFS volume that prewarms may name.
struct VolumeConfig {
  std::string meta;       // URL without a password, or one of the two below
  std::string meta_file;  // a file that holds the URL
  std::string meta_env;   // an environment variable that holds the URL
  std::string storage;    // override the volume's setting, as for `juicefs mount`
  std::string bucket;
  std::string subdir;
  std::vector<std::string> cache_dirs;  // on the nodes; empty: those of each agent's configuration
  // "ambient": agents have credentials of their own. "handed-over": those of the volume's setting
  // go over the agent link, which then must be mutual TLS or loopback.
  std::string credentials = "ambient";
  std::string rsa_passphrase_env;       // handed-over only
  std::vector<std::string> namespaces;  // that may use it; empty: all
  // By which objects of a cluster are this volume.
  std::vector<std::string> storage_classes;
  std::vector<std::string> volume_handles;

  // What only objects of the cluster say (PrewarmVolume); no keys of the file.
  Secret meta_url;  // with its password; the environment adds nothing to it
  Secret rsa_passphrase;
  std::string unusable;                                          // why; empty: it can be used
  std::vector<std::pair<std::string, std::string>> csi_secrets;  // namespace (empty: any), name
  std::string models_directory = "models";                       // from the volume's root
  std::map<std::string, std::vector<std::string>> tenants;       // directories by namespace
  bool operator==(const VolumeConfig&) const = default;
};

// A kind of workload that Prewarm does not know by itself. Paths as controller/bento/json_path.h
// has them; empty ones name nothing.
struct WorkloadKindConfig {
  std::string group;
  std::string version;
  std::string resource;
  std::string kind;
  std::string bento;
  std::string components;
  std::string component_name;
  std::string pod_spec;
  std::string pod_annotations;
  std::string resources;
  std::string min_replicas;
  std::string max_replicas;
  std::string envs;
  std::vector<std::string> storage_uris;
  std::map<std::string, std::string> pod_labels;
  std::string pod_selector;
  std::vector<std::string> annotations;
  bool annotated_only = false;
  std::vector<std::string> owned_by;
  bool operator==(const WorkloadKindConfig&) const = default;
};

// Absent from a machine without a cluster.
struct KubernetesConfig {
  bool enabled = false;
  std::string kubeconfig;  // empty: as a pod of the cluster
  std::string context;
  std::string name_space;  // our own; empty: that of the kubeconfig or of our pod
  std::string lease = "prewarm-controller";
  std::string agent_service_account = "prewarm-agent";
  std::string builder_storage_class = "juicefs-sc";
  bool mark_nodes = false;
  bool operator==(const KubernetesConfig&) const = default;
};

struct ControllerConfig {
  std::string grpc_listen = "127.0.0.1:9480";
  std::string http_listen = "127.0.0.1:9481";
  std::string webhook_listen;    // empty: nobody is answered about pods
  std::string certificate_file;  // of all ports
  std::string key_file;
  std::string client_ca_file;  // signs the agents' certificates
  bool insecure_loopback = false;

  std::string tokens_file;            // may be empty in a cluster, which has tokens of its own
  std::size_t max_requests = 256;     // in flight over both APIs
  std::size_t max_prewarms = 10'000;  // not ended

  std::string database = "/var/lib/prewarm/controller.db";
  std::chrono::nanoseconds lease = std::chrono::seconds(6);
  std::size_t keep_ended = 10'000;

  KubernetesConfig kubernetes;

  FleetLimits limits;                                                 // may change at run time
  std::chrono::nanoseconds agent_timeout = std::chrono::minutes(10);  // then its tasks fail
  std::chrono::nanoseconds follow_interval = std::chrono::seconds(2);

  std::string log_level = "info";
  std::string log_format = "text";

  std::map<std::string, VolumeConfig> volumes;  // may change at run time
  std::map<std::string, WorkloadKindConfig> workloads;
};

// The keys, bound to `config`, which must outlive the schema.
ConfigSchema ControllerConfigSchema(ControllerConfig& config);

// What no single key can tell: both or neither of a pair, TLS or loopback, each volume's metadata.
void ValidateControllerConfig(const ControllerConfig& config, Problems& problems);

}  // namespace prewarm::controller
