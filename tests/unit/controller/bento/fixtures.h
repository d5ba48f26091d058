// The objects of the builder's documentation as JSON, a catalog of them, and a volume in memory
// that answers a resolver as a real one would.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/bento/model_names.h"
#include "controller/bento/model_plan.h"
#include "controller/bento/objects_json.h"
#include "controller/bento/workload_mapping.h"

namespace prewarm::controller::bento {

namespace json = boost::json;

inline json::object Json(std::string_view text) {
  json::error_code error;
  auto value = json::parse({text.data(), text.size()}, error);
  EXPECT_FALSE(error) << error.message() << " in " << text;
  return value.is_object() ? value.get_object() : json::object();
}

inline constexpr const char* kHubTag =
    "meta-llama--meta-llama-3-8b-instruct:0d8c1f0e1d2c3b4a5968778695a4b3c2";
inline constexpr const char* kItemTag = "reranker:hx7q2d5m6cxa3";
inline constexpr const char* kCommit = "8afb486c1db24fe5011ec46dfbe5b5dccdb575c2";

inline constexpr const char* kBentoRequestJson = R"({
  "apiVersion": "resources.yatai.ai/v1alpha1", "kind": "BentoRequest",
  "metadata": {
    "name": "llama-chat--k6v2x7m4kq3aq", "namespace": "yatai",
    "uid": "11111111-2222-3333-4444-555555555555",
    "annotations": {
      "yatai.ai/yatai-image-builder-separate-models": "true",
      "yatai.ai/model-storage-namepsace": "org-42",
      "yatai.ai/bento-storage-namepsace": "org-42",
      "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
  "spec": {
    "bentoTag": "llama_chat:k6v2x7m4kq3aq",
    "downloadUrl": "s3://bento-store/org-42/bentos/llama_chat/k6v2x7m4kq3aq.tar",
    "context": {"bentomlVersion": "1.4.6"},
    "models": [
      {"tag": "meta-llama--meta-llama-3-8b-instruct:0d8c1f0e1d2c3b4a5968778695a4b3c2",
       "downloadUrl": "hf://meta-llama/meta-llama-3-8b-instruct@8afb486c1db24fe5011ec46dfbe5b5dccdb575c2@https://huggingface.co@*.safetensors&*.json&tokenizer*@original/*",
       "size": "16Gi"},
      {"tag": "reranker:hx7q2d5m6cxa3",
       "downloadUrl": "s3://bento-store/org-42/models/reranker/hx7q2d5m6cxa3.tar",
       "size": "1300Mi"}]},
  "status": {
    "imageBuilderPodStatus": {},
    "conditions": [
      {"type": "ModelsExists", "status": "True", "reason": "Reconciling",
       "message": "juicefs-sc:meta-llama--meta-llama-3-8b-instruct:0d8c1f0e1d2c3b4a5968778695a4b3c2, reranker:hx7q2d5m6cxa3"},
      {"type": "ModelsSeeding", "status": "False", "reason": "Reconciling",
       "message": "All models have been seeded."},
      {"type": "BentoAvailable", "status": "Unknown", "reason": "Reconciling",
       "message": "Bento image is building"}]}})";

inline constexpr const char* kBentoJson = R"({
  "apiVersion": "resources.yatai.ai/v1alpha1", "kind": "Bento",
  "metadata": {
    "name": "llama-chat--k6v2x7m4kq3aq", "namespace": "yatai", "uid": "b-1",
    "annotations": {
      "yatai.ai/yatai-image-builder-separate-models": "true",
      "yatai.ai/aws-access-key-secret-name": "",
      "yatai.ai/model-storage-namepsace": "org-42"},
    "ownerReferences": [
      {"apiVersion": "resources.yatai.ai/v1alpha1", "kind": "BentoRequest",
       "name": "llama-chat--k6v2x7m4kq3aq", "uid": "11111111-2222-3333-4444-555555555555",
       "controller": true, "blockOwnerDeletion": true}]},
  "spec": {
    "tag": "llama_chat:k6v2x7m4kq3aq",
    "image": "registry.example.com/yatai-bentos:yatai.org-42.llama_chat.k6v2x7m4kq3aq.nomodels",
    "context": {"bentomlVersion": "1.4.6"},
    "models": [
      {"tag": "meta-llama--meta-llama-3-8b-instruct:0d8c1f0e1d2c3b4a5968778695a4b3c2",
       "downloadUrl": "hf://meta-llama/meta-llama-3-8b-instruct@8afb486c1db24fe5011ec46dfbe5b5dccdb575c2@https://huggingface.co",
       "size": "16Gi"}],
    "imagePullSecrets": [{"name": "yatai-regcred"}]}})";

inline constexpr const char* kBentoDeploymentJson = R"({
  "apiVersion": "serving.yatai.ai/v2alpha1", "kind": "BentoDeployment",
  "metadata": {"name": "chat-llama3", "namespace": "yatai",
               "uid": "6f0e7f6e-6b0a-4f55-9f5f-0d3f6f0c1a11", "generation": 3,
               "labels": {"app": "chat"}},
  "spec": {
    "bento": "llama-chat--k6v2x7m4kq3aq",
    "annotations": {"yatai.ai/deployment-strategy": "RampedSlowRollout"},
    "labels": {"team": "nlp"},
    "resources": {"requests": {"cpu": "6", "memory": "48Gi"},
                  "limits": {"cpu": "12", "memory": "64Gi", "gpu": "1"}},
    "autoscaling": {"minReplicas": 1, "maxReplicas": 8,
      "metrics": [{"type": "Pods", "pods": {"metric": {"name": "http_request"},
                   "target": {"type": "AverageValue", "averageValue": "20"}}}]},
    "envs": [{"name": "BENTOML_MODEL_PREHEAT", "value": "1"}, {"name": "OTHER", "value": "x"}],
    "extraPodSpec": {
      "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4",
                       "cloud.google.com/gke-ephemeral-storage-local-ssd": "true"},
      "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
      "containers": [{"name": "sidecar", "resources": {"requests": {"cpu": "100m"}}}],
      "serviceAccountName": "chat"}},
  "status": {"conditions": []}})";

inline constexpr const char* kStorageClassJson = R"({
  "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
  "metadata": {"name": "juicefs-sc", "uid": "sc-1"},
  "provisioner": "csi.juicefs.com", "reclaimPolicy": "Retain",
  "parameters": {"pathPattern": "${.PVC.annotations.path}",
                 "csi.storage.k8s.io/node-publish-secret-name": "juicefs-secret",
                 "csi.storage.k8s.io/node-publish-secret-namespace": "kube-system"}})";

inline constexpr const char* kClaimJson = R"({
  "kind": "PersistentVolumeClaim",
  "metadata": {"name": "weights", "namespace": "yatai", "uid": "pvc-1"},
  "spec": {"volumeName": "pv-1", "storageClassName": "juicefs-sc"}, "status": {"phase": "Bound"}})";

inline constexpr const char* kVolumeJson = R"({
  "kind": "PersistentVolume", "metadata": {"name": "pv-1", "uid": "pv-uid"},
  "spec": {"storageClassName": "juicefs-sc", "mountOptions": ["cache-size=1024"],
    "claimRef": {"namespace": "yatai", "name": "weights", "uid": "pvc-1"},
    "csi": {"driver": "csi.juicefs.com", "volumeHandle": "pvc-1",
            "volumeAttributes": {"subPath": "datasets/weights"},
            "nodePublishSecretRef": {"name": "juicefs-secret", "namespace": "kube-system"}}},
  "status": {"phase": "Bound"}})";

// A Deployment of this claim, mounted at /models, with `annotations` on its pod template.
inline json::object ADeployment(const json::object& annotations = {{"prewarm.dev/skip", "false"}}) {
  auto deployment = Json(R"({
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "vllm", "namespace": "yatai", "uid": "d-1"},
    "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "vllm"}},
      "template": {"metadata": {"labels": {"app": "vllm"}}, "spec": {
        "nodeSelector": {"gpu": "l4"},
        "containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": 2}},
          "volumeMounts": [{"name": "weights", "mountPath": "/models", "subPath": "llama"},
                           {"name": "shm", "mountPath": "/dev/shm"}]}],
        "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}},
                    {"name": "shm", "emptyDir": {"medium": "Memory"}}]}}}})");
  deployment["spec"].at("template").at("metadata").as_object()["annotations"] = annotations;
  return deployment;
}

class MapCatalog : public Catalog {
 public:
  using Key = std::pair<std::string, std::string>;

  void Put(Bento value) { Set(bentos_, std::move(value)); }
  void Put(BentoRequest value) { Set(requests_, std::move(value)); }
  void Put(PersistentVolumeClaim value) { Set(claims_, std::move(value)); }
  void Put(PersistentVolume value) { Set(volumes_, std::move(value)); }
  void Put(StorageClass value) { Set(classes_, std::move(value)); }
  void RemoveBento(const Key& key) { bentos_.erase(key); }
  void RemoveRequest(const Key& key) { requests_.erase(key); }
  void RemoveClaim(const Key& key) { claims_.erase(key); }
  void RemoveVolume(const std::string& name) { volumes_.erase({"", name}); }
  void RemoveStorageClass(const std::string& name) { classes_.erase({"", name}); }

  const Bento* FindBento(std::string_view name_space, std::string_view name) const override {
    return Find(bentos_, name_space, name);
  }
  const BentoRequest* FindRequest(std::string_view name_space,
                                  std::string_view name) const override {
    return Find(requests_, name_space, name);
  }
  const PersistentVolumeClaim* FindClaim(std::string_view name_space,
                                         std::string_view name) const override {
    return Find(claims_, name_space, name);
  }
  const PersistentVolume* FindVolume(std::string_view name) const override {
    return Find(volumes_, "", name);
  }
  const StorageClass* FindStorageClass(std::string_view name) const override {
    return Find(classes_, "", name);
  }

 private:
  template <class T>
  static void Set(std::map<Key, T>& into, T value) {
    Key key(value.ref.name_space, value.ref.name);
    into.insert_or_assign(std::move(key), std::move(value));
  }
  template <class T>
  static const T* Find(const std::map<Key, T>& in, std::string_view name_space,
                       std::string_view name) {
    const auto found = in.find({std::string(name_space), std::string(name)});
    return found == in.end() ? nullptr : &found->second;
  }

  std::map<Key, Bento> bentos_;
  std::map<Key, BentoRequest> requests_;
  std::map<Key, PersistentVolumeClaim> claims_;
  std::map<Key, PersistentVolume> volumes_;
  std::map<Key, StorageClass> classes_;
};

inline MapCatalog ACatalog() {
  MapCatalog catalog;
  catalog.Put(*ReadStorageClass(Json(kStorageClassJson)));
  return catalog;
}

inline KnownVolume AVolume() {
  KnownVolume volume;
  volume.name = "models";
  volume.storage_classes = {"juicefs-sc"};
  volume.csi_secrets = {{.name_space = "kube-system", .name = "juicefs-secret"}};
  return volume;
}

// Directories with what is in them; parents come by themselves.
class FakeVolume {
 public:
  FakeVolume& File(const std::string& path, std::uint64_t bytes = 1) {
    Insert(path, {.name = {}, .type = DirectoryEntry::Type::kFile, .bytes = bytes, .target = {}});
    return *this;
  }
  FakeVolume& Link(const std::string& path, const std::string& target) {
    Insert(path,
           {.name = {}, .type = DirectoryEntry::Type::kSymlink, .bytes = {}, .target = target});
    return *this;
  }
  FakeVolume& Directory(const std::string& path) {
    Insert(path, {.name = {}, .type = DirectoryEntry::Type::kDirectory, .bytes = {}, .target = {}});
    directories_[path];
    return *this;
  }
  // A blob of the hub's cache and the link to it in a snapshot.
  FakeVolume& Blob(const std::string& repository, const std::string& commit,
                   const std::string& name, const std::string& etag, std::uint64_t bytes) {
    std::string up = "../../";
    for (const char c : name) up += c == '/' ? "../" : "";
    File(repository + "/blobs/" + etag, bytes);
    return Link(repository + "/snapshots/" + commit + "/" + name, up + "blobs/" + etag);
  }
  void Remove(const std::string& path) {
    const auto slash = path.rfind('/');
    directories_[path.substr(0, slash)].erase(path.substr(slash + 1));
  }

  [[nodiscard]] Listing List(const std::string& path) const {
    Listing listing;
    listing.real_path = path;
    if (const auto found = directories_.find(path); found != directories_.end()) {
      listing.kind = Listing::Kind::kDirectory;
      for (const auto& [name, entry] : found->second) listing.entries.push_back(entry);
      return listing;
    }
    const auto slash = path.rfind('/');
    const auto parent = directories_.find(slash == std::string::npos ? "" : path.substr(0, slash));
    if (parent == directories_.end()) return listing;
    const auto entry = parent->second.find(path.substr(slash + 1));
    if (entry == parent->second.end()) return listing;
    listing.kind = Listing::Kind::kFile;
    listing.bytes = entry->second.bytes;
    if (entry->second.type == DirectoryEntry::Type::kSymlink) {
      listing.real_path = Led(path.substr(0, slash), entry->second.target);
      if (directories_.contains(listing.real_path)) listing.kind = Listing::Kind::kDirectory;
    }
    return listing;
  }

  // Lists until the answer is there; fails if that takes more questions than it may.
  [[nodiscard]] SourceAnswer Resolve(const std::vector<Candidate>& candidates,
                                     const FileRules& rules = {}) const {
    SourceResolver resolver(candidates, rules);
    std::size_t questions = 0;
    while (const auto path = resolver.Next()) {
      EXPECT_LE(++questions, kMaxDirectories * candidates.size());
      resolver.Answer(List(*path));
    }
    return resolver.Outcome();
  }

  [[nodiscard]] std::map<std::string, SourceAnswer> ResolveAll(const Sources& sources) const {
    std::map<std::string, SourceAnswer> answers;
    for (const auto& source : sources.models) {
      answers[source.Key()] = Resolve(source.candidates);
    }
    return answers;
  }

 private:
  static std::string Led(std::string directory, std::string target) {
    while (target.starts_with("../")) {
      target = target.substr(3);
      const auto slash = directory.rfind('/');
      directory = slash == std::string::npos ? "" : directory.substr(0, slash);
    }
    return JoinPath(directory, target);
  }
  void Insert(const std::string& path, DirectoryEntry entry) {
    const auto slash = path.rfind('/');
    const auto parent = slash == std::string::npos ? "" : path.substr(0, slash);
    entry.name = path.substr(slash + 1);
    if (!parent.empty() && !directories_.contains(parent)) Directory(parent);
    directories_[parent][entry.name] = std::move(entry);
  }

  std::map<std::string, std::map<std::string, DirectoryEntry>> directories_;
};

// What the builder's seeder leaves behind for the request above.
inline constexpr const char* kHubDirectory =
    "models/org-42/meta-llama--meta-llama-3-8b-instruct/all";
inline constexpr const char* kRepository =
    "models/org-42/meta-llama--meta-llama-3-8b-instruct/all/"
    "models--meta-llama--Meta-Llama-3-8B-Instruct";
inline FakeVolume ASeededVolume() {
  FakeVolume volume;
  const std::string hub = kHubDirectory;
  volume.File(hub + "/0d8c1f0e1d2c3b4a5968778695a4b3c2.exists", 0)
      .File(hub + "/.locks/models--x/a.lock", 0)
      .Blob(kRepository, kCommit, "model-00001-of-00002.safetensors", "sha-a", 5000)
      .Blob(kRepository, kCommit, "model-00002-of-00002.safetensors", "sha-b", 4000)
      .Blob(kRepository, kCommit, "config.json", "sha-c", 10)
      .Blob(kRepository, kCommit, "README.md", "sha-d", 7)
      .Blob(kRepository, kCommit, "original/params.json", "sha-e", 8);
  const std::string item = "models/org-42/reranker/hx7q2d5m6cxa3";
  volume.File(item + "/.exists", 0)
      .File(item + "/model.yaml", 300)
      .File(item + "/weights/model.safetensors", 900)
      .File(item + "/weights/pytorch_model.bin", 900)
      .File(item + "/tokenizer/tokenizer.json", 100);
  return volume;
}

}  // namespace prewarm::controller::bento
