// The Kubernetes objects that say which models a workload has and where they lie, as values with
// only what we use of them. What was wrong with an object travels with it, in words, so that the
// plan can name it; nothing here throws and every size is bounded. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prewarm::controller::bento {

// Most of what one object may bring along; more is cut off and named among its problems.
inline constexpr std::size_t kMaxModels = 64;
inline constexpr std::size_t kMaxRunners = 64;
inline constexpr std::size_t kMaxProblems = 16;

struct ObjectRef {
  std::string api_version;
  std::string kind;
  std::string name_space;  // empty: cluster-scoped
  std::string name;
  std::string uid;
  bool operator==(const ObjectRef&) const = default;

  [[nodiscard]] std::string Words() const;  // "BentoDeployment yatai/chat-llama3"
};

// What is wrong with an object, with the path of each field. A bounded number of short lines.
class Problems {
 public:
  void Add(std::string_view field, std::string_view detail);
  void Append(const Problems& others);
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  bool operator==(const Problems&) const = default;

 private:
  std::vector<std::string> lines_;
};

using TextMap = std::map<std::string, std::string>;

// One entry of spec.models, or a bare tag of a runner. Untrusted as it stands.
struct DeclaredModel {
  std::string tag;
  std::string url;  // s3://, gs://, http(s)://, hf:// or empty
  std::optional<std::uint64_t> bytes;
  bool operator==(const DeclaredModel&) const = default;
};

struct Bento {
  ObjectRef ref;
  std::string request_uid;  // of the BentoRequest that owns it; empty: made by hand
  TextMap annotations;      // of yatai.ai and prewarm.dev only
  std::string tag;
  std::string image;
  std::vector<DeclaredModel> models;  // spec.models, then the tags that only runners name
  std::vector<std::string> runners;   // their names, in order: the n-th is D-runner-<n>
  Problems problems;
  bool operator==(const Bento&) const = default;
};

struct Condition {
  std::string status;  // "True", "False", "Unknown"
  std::string message;
  bool operator==(const Condition&) const = default;
};

struct BentoRequest {
  ObjectRef ref;
  TextMap annotations;  // of yatai.ai and prewarm.dev only
  std::string tag;
  std::string image;  // spec.image: set by hand, so that its name says nothing of a generation
  std::vector<DeclaredModel> models;
  std::vector<std::string> runners;
  std::optional<Condition> models_exist;
  std::optional<Condition> models_seeding;
  Problems problems;
  bool operator==(const BentoRequest&) const = default;
};

struct SecretRef {
  std::string name_space;
  std::string name;
  auto operator<=>(const SecretRef&) const = default;
};

struct PersistentVolume {
  ObjectRef ref;
  std::string driver;  // empty: no CSI volume
  std::string volume_handle;
  std::string sub_path;      // volumeAttributes.subPath
  std::string mount_subdir;  // the subdir= among its mount options
  SecretRef node_publish_secret;
  std::string storage_class;
  ObjectRef claim;  // claimRef
  std::string phase;
  Problems problems;
  bool operator==(const PersistentVolume&) const = default;
};

struct PersistentVolumeClaim {
  ObjectRef ref;
  std::string volume;  // spec.volumeName
  std::string storage_class;
  std::string phase;
  Problems problems;
  bool operator==(const PersistentVolumeClaim&) const = default;
};

struct StorageClass {
  ObjectRef ref;
  std::string provisioner;
  std::string path_pattern;
  std::string mount_subdir;
  std::string reclaim_policy;
  SecretRef node_publish_secret;
  Problems problems;
  bool operator==(const StorageClass&) const = default;
};

}  // namespace prewarm::controller::bento
