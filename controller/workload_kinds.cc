#include "controller/workload_kinds.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace prewarm::controller {
namespace {

using bento::JsonPath;

Status CheckPath(const std::string& text) {
  if (text.empty()) return {};
  const auto path = JsonPath::Parse(text);
  if (!path) return path.error();
  return {};
}

// `field` whose items are paths.
ConfigField OfPaths(ConfigField field) {
  field.type = "PATH";
  field.set = [set = std::move(field.set)](const std::vector<std::string>& items) -> Status {
    for (const auto& item : items) TRY_STATUS(CheckPath(item));
    return set(items);
  };
  return field;
}
ConfigField PathField(std::string& value) { return OfPaths(TextField(value)); }
ConfigField PathsField(std::vector<std::string>& value) { return OfPaths(ListField(value)); }

JsonPath PathOf(const std::string& text) {
  if (text.empty()) return {};
  auto path = JsonPath::Parse(text);
  PREWARM_CHECK(path, "a path was set that its key must have refused");
  return *std::move(path);
}

std::vector<JsonPath> PathsOf(const std::vector<std::string>& texts) {
  std::vector<JsonPath> paths;
  paths.reserve(texts.size());
  for (const auto& text : texts) paths.push_back(PathOf(text));
  return paths;
}

bento::WorkloadMapping MappingOf(const WorkloadKindConfig& kind) {
  bento::ComponentMapping component;
  component.list = PathOf(kind.components);
  component.item_name = PathOf(kind.component_name);
  component.pod_spec = PathOf(kind.pod_spec);
  component.pod_annotations = PathOf(kind.pod_annotations);
  component.resources = PathOf(kind.resources);
  component.min_replicas = PathOf(kind.min_replicas);
  component.max_replicas = PathOf(kind.max_replicas);
  component.envs = PathOf(kind.envs);
  component.storage_uris = PathsOf(kind.storage_uris);
  component.pod_labels.insert(kind.pod_labels.begin(), kind.pod_labels.end());
  component.pod_selector = PathOf(kind.pod_selector);
  return {.group = kind.group,
          .version = kind.version,
          .resource = kind.resource,
          .kind = kind.kind,
          .bento = PathOf(kind.bento),
          .components = {std::move(component)},
          .annotations = PathsOf(kind.annotations),
          .annotated_only = kind.annotated_only,
          .spoken_for_by = kind.owned_by};
}

std::string ResourceOf(const WorkloadKindConfig& kind) { return kind.resource + "." + kind.group; }

void ValidateWorkloadKind(const std::string& where, const WorkloadKindConfig& kind,
                          Problems& problems) {
  const std::pair<std::string_view, const std::string&> needed[] = {
      {"version", kind.version}, {"resource", kind.resource}, {"kind", kind.kind}};
  for (const auto& [key, value] : needed) {
    if (value.empty()) problems.Add(where + "." + std::string(key) + " is missing");
  }
  if (!kind.component_name.empty() && kind.components.empty()) {
    problems.Add(where + ".component-name is only used with components");
  }
  // Its pods are found through the Deployment that is made of it, and its models through its bento,
  // its volumes or its annotations: without any of these nothing could ever follow from it.
  if (kind.bento.empty() && kind.pod_spec.empty() && kind.storage_uris.empty() &&
      !kind.annotated_only) {
    problems.Add(where +
                 ": one of bento, pod-spec and storage-uris says where its models are named, or "
                 "annotated-only: true that annotations do");
  }
  if (ResourceOf(kind) == "deployments.apps") {
    problems.Add(where + ": Deployments are read as they are and cannot be mapped otherwise");
  }
}

}  // namespace

std::vector<ConfigKey> WorkloadKindKeys(WorkloadKindConfig& kind) {
  return {
      {"group", "API group; none: the core group", TextField(kind.group)},
      {"version", "of that group", TextField(kind.version)},
      {"resource", "plural, as in URLs", TextField(kind.resource)},
      {"kind", "as objects have it", TextField(kind.kind)},
      {"bento", "name of a Bento or BentoRequest in the object's namespace", PathField(kind.bento)},
      {"components", "list of components; the paths below start at its items then",
       PathField(kind.components)},
      {"component-name", "of an item of that list", PathField(kind.component_name)},
      {"pod-spec", "pod spec: containers, volumes, scheduling", PathField(kind.pod_spec)},
      {"pod-annotations", "annotations of its pods", PathField(kind.pod_annotations)},
      {"resources", "requests and limits that stand outside of the pod spec",
       PathField(kind.resources)},
      {"min-replicas", "number of pods; none: one", PathField(kind.min_replicas)},
      {"max-replicas", "most pods; none: as min-replicas", PathField(kind.max_replicas)},
      {"envs", "environment that stands outside of the pod spec", PathField(kind.envs)},
      {"storage-uris", "models as pvc://CLAIM/PATH", PathsField(kind.storage_uris)},
      {"pod-labels",
       "labels of the Deployment that is made of an object; {name} and {component} stand for "
       "theirs",
       MapField(kind.pod_labels)},
      {"pod-selector", "more of these labels, as the object has them",
       PathField(kind.pod_selector)},
      {"annotations", "where our annotations may stand besides metadata.annotations",
       PathsField(kind.annotations)},
      {"annotated-only", "of interest only with an annotation of prewarm.dev",
       FlagField(kind.annotated_only)},
      {"owned-by", "kinds whose objects speak for those that they own", ListField(kind.owned_by)},
  };
}

void ValidateWorkloadKinds(const std::map<std::string, WorkloadKindConfig>& kinds,
                           Problems& problems) {
  std::map<std::string, std::string> names;  // of entries, by resource
  for (const auto& [name, kind] : kinds) {
    const auto where = "workloads." + name;
    ValidateWorkloadKind(where, kind, problems);
    const auto [other, is_new] = names.emplace(ResourceOf(kind), where);
    if (!is_new && !kind.resource.empty()) {
      problems.Add(where + " and " + other->second + " are of the same resource");
    }
  }
}

std::vector<bento::WorkloadMapping> WorkloadMappings(
    const std::map<std::string, WorkloadKindConfig>& kinds) {
  auto mappings = bento::BuiltInMappings();
  for (const auto& [name, kind] : kinds) {
    auto mapping = MappingOf(kind);
    std::erase_if(mappings, [&](const auto& known) {
      return known.group == mapping.group && known.resource == mapping.resource;
    });
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

}  // namespace prewarm::controller
