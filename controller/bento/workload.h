// A workload, whichever kind of object describes it: what runs its pods, how many, where they may
// be scheduled, and what it says of its models. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "controller/bento/objects.h"

namespace prewarm::controller::bento {

// Annotations on a workload or on its pod template.
inline constexpr const char* kModelsAnnotation = "prewarm.dev/models";  // volume:path,volume:path
inline constexpr const char* kSkipAnnotation = "prewarm.dev/skip";      // "true"

inline constexpr std::size_t kMaxComponents = kMaxRunners + 1;

// A volume of a pod that a claim, or a driver without a claim, provides; others are of no interest.
struct PodVolume {
  std::string name;
  std::string claim;
  std::string inline_driver;  // csi.driver of a volume without a claim
  bool operator==(const PodVolume&) const = default;
};

struct VolumeMount {
  std::string volume;  // name of a PodVolume
  std::string mount_path;
  std::string sub_path;
  bool sub_path_varies = false;  // subPathExpr: depends on the pod
  bool operator==(const VolumeMount&) const = default;
};

// Pods of one kind within a workload: the API server of a Bento, one of its runners.
struct Component {
  std::string name;
  // A pod spec reduced to what scheduling reads: nodeSelector, affinity, tolerations,
  // topologySpreadConstraints, schedulerName, overhead, and containers with their resources only.
  // Requests that the API server would default from limits are filled in.
  boost::json::object scheduling;
  std::vector<PodVolume> volumes;
  std::vector<VolumeMount> mounts;
  std::int32_t min_replicas = 1;
  std::int32_t max_replicas = 1;
  std::uint32_t gpus = 0;  // per pod, of any vendor
  TextMap pod_labels;      // by which its pods, its Deployment and its HPA are found
  TextMap envs;            // those of BentoML that change how models are read
  bool operator==(const Component&) const = default;
};

struct Workload {
  ObjectRef ref;
  std::string bento;  // name of a Bento or BentoRequest in the same namespace; empty: none
  std::vector<Component> components;
  TextMap annotations;  // of yatai.ai and prewarm.dev only; its own before the pod template's
  TextMap labels;
  Problems problems;
  bool operator==(const Workload&) const = default;
};

// The components of a BentoDeployment with those runners of its Bento that it does not mention:
// they run with what is said at its top. `runners`: the names that the Bento gives.
Workload WithRunners(Workload workload, const std::vector<std::string>& runners);

}  // namespace prewarm::controller::bento
