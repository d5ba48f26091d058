// A PrewarmVolume, prewarmvolumes.prewarm.dev/v1alpha1: read from the cluster, and what its status
// says. The fields are those of deploy/kubernetes/crds.py. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "controller/controller_config.h"
#include "controller/kube/conditions.h"
#include "controller/kube/resource.h"

namespace prewarm::controller {

inline constexpr const char* kReady = "Ready";

// One text of a Secret.
struct SecretKeyRef {
  kube::ObjectKey secret;
  std::string key;
  bool operator==(const SecretKeyRef&) const = default;
  [[nodiscard]] std::string Words() const;  // "key metaurl of Secret prewarm-system/models"
};

// What its status says.
struct VolumeStatus {
  std::uint64_t observed_generation = 0;
  std::string uuid;  // empty: its metadata was never read
  std::string format_name;
  std::uint32_t block_size = 0;  // bytes
  kube::Conditions conditions;
  // But for the moments of the conditions.
  [[nodiscard]] bool Says(const VolumeStatus& other) const;
};

struct VolumeObject {
  std::string name;
  std::string uid;
  std::string resource_version;
  std::uint64_t generation = 0;
  std::string problem;  // with its spec, which then means nothing; empty: none
  VolumeConfig config;  // without what the two Secrets hold
  std::optional<SecretKeyRef> meta_secret;
  std::optional<SecretKeyRef> passphrase_secret;
  VolumeStatus status;
};

// `own_namespace`: of Secrets that are named without one. Takes any object whatever.
VolumeObject ReadVolumeObject(const boost::json::object& object, const std::string& own_namespace);

// The whole of `status`; empty texts are null, so that a merge patch takes away older ones.
boost::json::object VolumeStatusObject(const VolumeStatus& status);

}  // namespace prewarm::controller
