#include "controller/bento/workload_mapping.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "common/base/check.h"
#include "controller/bento/object_fields.h"
#include "controller/bento/pod_spec.h"

namespace prewarm::controller::bento {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxReplicas = 100'000;
constexpr std::size_t kMaxOwners = 32;

bool Any(std::string_view) { return true; }

JsonPath Path(std::string_view text) {
  auto path = JsonPath::Parse(text);
  PREWARM_CHECK(path, "a built-in path is wrong");
  return *std::move(path);
}

// A field that a path names: its holder, where an absent one has no fields, and its name.
struct Field {
  ObjectFields holder;
  std::string_view name;
};

// Paths start at `from`.
Field FieldAt(ObjectFields& from, const JsonPath& path) {
  const auto* holder = path.empty() ? nullptr : path.Holder(from.object());
  auto place = from.path();
  if (!place.empty() && !path.holder_text().empty()) place += '.';
  place += path.holder_text();
  return {.holder = ObjectFields(holder == nullptr ? ObjectFields::None() : *holder,
                                 std::move(place), from.problems()),
          .name = path.member()};
}

std::string TextAt(ObjectFields& from, const JsonPath& path) {
  auto field = FieldAt(from, path);
  return field.holder.Text(field.name);
}

ObjectFields ObjectAt(ObjectFields& from, const JsonPath& path) {
  auto field = FieldAt(from, path);
  return field.holder.Object(field.name);
}

std::optional<std::int32_t> ReplicasAt(ObjectFields& from, const JsonPath& path) {
  auto field = FieldAt(from, path);
  const auto replicas = field.holder.Integer(field.name, 0, kMaxReplicas);
  if (!replicas) return std::nullopt;
  return static_cast<std::int32_t>(*replicas);
}

// The first to say something counts, but for the list of models, to which everyone may add.
void AddAnnotations(ObjectFields& from, const JsonPath& path, TextMap& annotations) {
  auto field = FieldAt(from, path);
  for (auto& [name, text] : field.holder.Texts(field.name, IsOurAnnotation)) {
    auto [at, is_new] = annotations.emplace(name, text);
    if (!is_new && name == kModelsAnnotation && at->second != text) at->second += "," + text;
  }
}

// pvc://claim/path becomes a volume that the pod mounts where KServe mounts it.
void AddStorageUri(std::string_view uri, Component& component) {
  constexpr std::string_view kScheme = "pvc://";
  if (!uri.starts_with(kScheme)) return;
  uri.remove_prefix(kScheme.size());
  const auto slash = std::min(uri.find('/'), uri.size());
  const auto volume = "storage-uri-" + std::to_string(component.volumes.size());
  component.volumes.push_back(
      {.name = volume, .claim = std::string(uri.substr(0, slash)), .inline_driver = {}});
  uri.remove_prefix(std::min(slash + 1, uri.size()));
  component.mounts.push_back({.volume = volume,
                              .mount_path = "/mnt/models",
                              .sub_path = std::string(uri),
                              .sub_path_varies = false});
}

void ReplaceAll(std::string& text, std::string_view hole, std::string_view value) {
  for (auto at = text.find(hole); at != std::string::npos;
       at = text.find(hole, at + value.size())) {
    text.replace(at, hole.size(), value);
  }
}

TextMap PodLabels(const ComponentMapping& mapping, const Component& component,
                  std::string_view object) {
  TextMap labels;
  for (auto [label, text] : mapping.pod_labels) {
    ReplaceAll(text, "{name}", object);
    ReplaceAll(text, "{component}", component.name);
    labels.emplace(label, std::move(text));
  }
  return labels;
}

// `from`: the object, or the item of a list that is a component.
void AddComponent(const ComponentMapping& mapping, std::string name, ObjectFields from,
                  Workload& workload) {
  if (workload.components.size() == kMaxComponents) return;
  Component component;
  component.name = std::move(name);
  component.min_replicas = ReplicasAt(from, mapping.min_replicas).value_or(1);
  const auto most = ReplicasAt(from, mapping.max_replicas).value_or(0);  // 0: none is named
  component.max_replicas = std::max(component.min_replicas, most);
  if (auto resources = FieldAt(from, mapping.resources);
      resources.holder.FindObject(resources.name) != nullptr) {
    AddContainer("main", resources.holder.Object(resources.name), component);
  }
  auto pod_spec = ObjectAt(from, mapping.pod_spec);
  AddScheduling(pod_spec, component);
  AddVolumes(pod_spec, component);
  auto envs = FieldAt(from, mapping.envs);
  AddEnvs(envs.holder, envs.name, component);
  for (const auto& uri : mapping.storage_uris) AddStorageUri(TextAt(from, uri), component);
  component.pod_labels = PodLabels(mapping, component, workload.ref.name);
  auto selector = FieldAt(from, mapping.pod_selector);
  component.pod_labels.merge(selector.holder.Texts(selector.name, &Any));
  AddAnnotations(from, mapping.pod_annotations, workload.annotations);
  workload.components.push_back(std::move(component));
}

void AddComponents(const ComponentMapping& mapping, ObjectFields& top, Workload& workload) {
  if (mapping.list.empty()) return AddComponent(mapping, mapping.name, top, workload);
  auto list = FieldAt(top, mapping.list);
  list.holder.Objects(list.name, kMaxRunners, [&](ObjectFields item) {
    auto name = TextAt(item, mapping.item_name);
    if (name.empty()) name = mapping.name;
    AddComponent(mapping, std::move(name), item, workload);
  });
}

bool SomebodySpeaksFor(const WorkloadMapping& mapping, ObjectFields& top) {
  bool owned = false;
  top.Object("metadata").Objects("ownerReferences", kMaxOwners, [&](ObjectFields owner) {
    owned = owned || std::ranges::find(mapping.spoken_for_by, owner.Text("kind")) !=
                         mapping.spoken_for_by.end();
  });
  return owned;
}

bool IsOfInterest(const WorkloadMapping& mapping, ObjectFields& top, const TextMap& annotations) {
  if (!mapping.spoken_for_by.empty() && SomebodySpeaksFor(mapping, top)) return false;
  return !mapping.annotated_only || annotations.contains(kModelsAnnotation) ||
         annotations.contains(kSkipAnnotation);
}

}  // namespace

WorkloadMapping BentoDeploymentMapping() {
  ComponentMapping api_server;
  api_server.name = "api-server";
  api_server.pod_spec = Path("spec.extraPodSpec");
  api_server.pod_annotations = Path("spec.extraPodMetadata.annotations");
  api_server.resources = Path("spec.resources");
  api_server.min_replicas = Path("spec.autoscaling.minReplicas");
  api_server.max_replicas = Path("spec.autoscaling.maxReplicas");
  api_server.envs = Path("spec.envs");
  api_server.pod_labels = {{"yatai.ai/bento-deployment", "{name}"},
                           {"yatai.ai/bento-deployment-component-type", "api-server"}};
  // A runner has its own of everything: what it leaves out is not taken from the top.
  ComponentMapping runner;
  runner.name = "runner";
  runner.list = Path("spec.runners");
  runner.item_name = Path("name");
  runner.pod_spec = Path("extraPodSpec");
  runner.pod_annotations = Path("extraPodMetadata.annotations");
  runner.resources = Path("resources");
  runner.min_replicas = Path("autoscaling.minReplicas");
  runner.max_replicas = Path("autoscaling.maxReplicas");
  runner.envs = Path("envs");
  runner.pod_labels = {{"yatai.ai/bento-deployment", "{name}"},
                       {"yatai.ai/bento-deployment-component-type", "runner"},
                       {"yatai.ai/bento-deployment-component-name", "{component}"}};
  return {.group = "serving.yatai.ai",
          .version = "v2alpha1",
          .resource = "bentodeployments",
          .kind = "BentoDeployment",
          .bento = Path("spec.bento"),
          .components = {std::move(api_server), std::move(runner)},
          .annotations = {Path("spec.annotations")},
          .annotated_only = false,
          .spoken_for_by = {}};
}

WorkloadMapping DeploymentMapping() {
  ComponentMapping pods;
  pods.pod_spec = Path("spec.template.spec");
  pods.pod_annotations = Path("spec.template.metadata.annotations");
  pods.min_replicas = Path("spec.replicas");
  pods.pod_selector = Path("spec.selector.matchLabels");
  return {.group = "apps",
          .version = "v1",
          .resource = "deployments",
          .kind = "Deployment",
          .bento = {},
          .components = {std::move(pods)},
          .annotations = {},
          .annotated_only = true,
          .spoken_for_by = {"BentoDeployment", "InferenceService"}};
}

WorkloadMapping InferenceServiceMapping() {
  ComponentMapping predictor;
  predictor.name = "predictor";
  predictor.pod_spec = Path("spec.predictor");
  predictor.pod_annotations = Path("spec.predictor.annotations");
  predictor.resources = Path("spec.predictor.model.resources");
  predictor.min_replicas = Path("spec.predictor.minReplicas");
  predictor.max_replicas = Path("spec.predictor.maxReplicas");
  // Before "model" there was one field for each framework.
  for (const auto* framework : {"model", "huggingface", "pytorch", "tensorflow", "triton", "onnx",
                                "sklearn", "xgboost", "lightgbm"}) {
    predictor.storage_uris.push_back(
        Path("spec.predictor." + std::string(framework) + ".storageUri"));
  }
  predictor.pod_labels = {{"serving.kserve.io/inferenceservice", "{name}"},
                          {"component", "predictor"}};
  return {.group = "serving.kserve.io",
          .version = "v1beta1",
          .resource = "inferenceservices",
          .kind = "InferenceService",
          .bento = {},
          .components = {std::move(predictor)},
          .annotations = {},
          .annotated_only = false,
          .spoken_for_by = {}};
}

std::vector<WorkloadMapping> BuiltInMappings() {
  return {BentoDeploymentMapping(), DeploymentMapping(), InferenceServiceMapping()};
}

std::optional<Workload> ReadWorkload(const WorkloadMapping& mapping, const json::object& object) {
  auto ref = ReadObjectRef(object, mapping.kind);
  if (!ref) return std::nullopt;
  Workload workload;
  workload.ref = std::move(*ref);
  if (workload.ref.api_version.empty()) {
    workload.ref.api_version = (mapping.group.empty() ? "" : mapping.group + "/") + mapping.version;
  }
  ObjectFields top(object, "", workload.problems);
  AddAnnotations(top, Path("metadata.annotations"), workload.annotations);
  for (const auto& path : mapping.annotations) AddAnnotations(top, path, workload.annotations);
  for (const auto& component : mapping.components) AddComponents(component, top, workload);
  if (!IsOfInterest(mapping, top, workload.annotations)) return std::nullopt;
  workload.labels = top.Object("metadata").Texts("labels", &Any);
  workload.bento = TextAt(top, mapping.bento);
  return workload;
}

void AddPodVolumes(const json::object& pod_spec, Component& component, Problems& problems) {
  AddVolumes(ObjectFields(pod_spec, "", problems), component);
}

}  // namespace prewarm::controller::bento
