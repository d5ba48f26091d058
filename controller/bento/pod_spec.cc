#include "controller/bento/pod_spec.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace prewarm::controller::bento {
namespace {

namespace json = boost::json;

constexpr std::array<const char*, 8> kSchedulingFields{
    "nodeSelector",  "nodeName", "affinity",        "tolerations", "topologySpreadConstraints",
    "schedulerName", "overhead", "runtimeClassName"};
constexpr std::size_t kMaxSchedulingBytes = 64 << 10;
constexpr int kMaxSchedulingDepth = 16;
constexpr std::size_t kMaxContainers = 64;
constexpr std::size_t kMaxPodVolumes = 256;
constexpr std::size_t kMaxResources = 64;
constexpr std::size_t kMaxEnvs = 1024;
constexpr std::uint64_t kMaxGpus = 1024;

// Takes what the value needs off `left`; false if that is more, or if it is nested too deeply.
bool TakeSize(const json::value& value, std::size_t& left, int depth) {
  constexpr std::size_t kValueBytes = 16;
  const auto take = [&](std::size_t bytes) {
    const bool enough = bytes <= left;
    if (enough) left -= bytes;
    return enough;
  };
  if (depth > kMaxSchedulingDepth || !take(kValueBytes)) return false;
  if (const auto* text = value.if_string()) return take(text->size());
  if (const auto* list = value.if_array()) {
    return std::ranges::all_of(
        *list, [&](const json::value& item) { return TakeSize(item, left, depth + 1); });
  }
  if (const auto* object = value.if_object()) {
    return std::ranges::all_of(*object, [&](const json::key_value_pair& member) {
      return take(member.key().size()) && TakeSize(member.value(), left, depth + 1);
    });
  }
  return true;
}

bool IsGpu(std::string_view resource) {
  return resource.ends_with("/gpu") || resource.starts_with("nvidia.com/mig-");
}

void SetResource(const ObjectFields& fields, std::string_view name, const json::value& value,
                 Problems& problems, json::object& resources) {
  const auto place = fields.PathOf(name);
  if (resources.size() == kMaxResources) {
    problems.Add(place, "is one resource too many");
    return;
  }
  const auto* text = value.if_string();
  const bool quantity =
      text != nullptr ? QuantityBytes({text->data(), text->size()}).has_value() : value.is_int64();
  if (!quantity) {
    problems.Add(place, R"(must be a quantity such as 2, "500m" or "16Gi")");
    return;
  }
  resources.insert_or_assign({name.data(), name.size()}, value);
}

json::object ReadResources(ObjectFields fields, bool limits) {
  json::object resources;
  for (const auto& member : fields.object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (name == "custom" || member.value().is_null()) continue;
    if (name == "gpu" && !limits) continue;  // Yatai's operator does not read it
    SetResource(fields, name == "gpu" ? "nvidia.com/gpu" : name, member.value(), fields.problems(),
                resources);
  }
  const auto* custom = fields.FindObject("custom");
  if (custom == nullptr) return resources;
  auto custom_fields = fields.Object("custom");
  for (const auto& member : *custom) {
    SetResource(custom_fields, {member.key().data(), member.key().size()}, member.value(),
                fields.problems(), resources);
  }
  return resources;
}

std::uint64_t CountGpus(const json::object& limits) {
  std::uint64_t gpus = 0;
  for (const auto& member : limits) {
    if (!IsGpu({member.key().data(), member.key().size()})) continue;
    const auto* text = member.value().if_string();
    const auto count =
        text != nullptr
            ? QuantityBytes({text->data(), text->size()}).value_or(0)
            : static_cast<std::uint64_t>(std::max<std::int64_t>(0, member.value().get_int64()));
    gpus = std::min(kMaxGpus, gpus + std::min(kMaxGpus, count));
  }
  return gpus;
}

json::array& ContainersOf(json::object& scheduling, const char* list) {
  auto& containers = scheduling[list];
  if (!containers.is_array()) containers.emplace_array();
  return containers.get_array();
}

json::object ReducedContainer(std::string_view name, ObjectFields resources) {
  auto limits = ReadResources(resources.Object("limits"), true);
  auto requests = ReadResources(resources.Object("requests"), false);
  for (const auto& member : limits) requests.emplace(member.key(), member.value());
  json::object container;
  container["name"] = json::string_view(name.data(), name.size());
  container["resources"] = {{"limits", std::move(limits)}, {"requests", std::move(requests)}};
  return container;
}

void AddContainers(ObjectFields& pod_spec, const char* list, Component& component) {
  pod_spec.Objects(list, kMaxContainers, [&](ObjectFields container) {
    const auto name = container.Text("name");
    auto reduced = ReducedContainer(name, container.Object("resources"));
    // "Always" makes an init container a sidecar, which counts as one of the containers.
    const auto restart = container.Text("restartPolicy");
    if (!restart.empty()) reduced["restartPolicy"] = restart;
    component.gpus += static_cast<std::uint32_t>(
        CountGpus(reduced["resources"].get_object()["limits"].get_object()));
    ContainersOf(component.scheduling, list).push_back(std::move(reduced));
    AddEnvs(container, "env", component);
  });
}

bool HasVolume(const Component& component, std::string_view name) {
  return std::ranges::find(component.volumes, name, &PodVolume::name) != component.volumes.end();
}

}  // namespace

void AddContainer(std::string_view name, ObjectFields resources, Component& component) {
  auto reduced = ReducedContainer(name, std::move(resources));
  component.gpus += static_cast<std::uint32_t>(
      CountGpus(reduced["resources"].get_object()["limits"].get_object()));
  ContainersOf(component.scheduling, "containers").push_back(std::move(reduced));
}

void AddScheduling(ObjectFields pod_spec, Component& component) {
  auto left = kMaxSchedulingBytes;
  for (const auto* name : kSchedulingFields) {
    const auto* value = pod_spec.Find(name);
    if (value == nullptr) continue;
    if (!TakeSize(*value, left, 0)) {
      pod_spec.problems().Add(pod_spec.PathOf(name), "is larger than what is read of a pod");
      continue;
    }
    component.scheduling[name] = *value;
  }
  AddContainers(pod_spec, "containers", component);
  AddContainers(pod_spec, "initContainers", component);
}

void AddVolumes(ObjectFields pod_spec, Component& component) {
  pod_spec.Objects("volumes", kMaxPodVolumes, [&](ObjectFields volume) {
    PodVolume found{.name = volume.Text("name"),
                    .claim = volume.Object("persistentVolumeClaim").Text("claimName"),
                    .inline_driver = volume.Object("csi").Text("driver")};
    if (found.claim.empty() && found.inline_driver.empty()) return;
    if (!HasVolume(component, found.name)) component.volumes.push_back(std::move(found));
  });
  pod_spec.Objects("containers", kMaxContainers, [&](ObjectFields container) {
    container.Objects("volumeMounts", kMaxPodVolumes, [&](ObjectFields mount) {
      VolumeMount found{.volume = mount.Text("name"),
                        .mount_path = mount.Text("mountPath"),
                        .sub_path = mount.Text("subPath"),
                        .sub_path_varies = !mount.Text("subPathExpr").empty()};
      if (!HasVolume(component, found.volume)) return;
      if (std::ranges::find(component.mounts, found) != component.mounts.end()) return;
      if (component.mounts.size() < kMaxPodVolumes) component.mounts.push_back(std::move(found));
    });
  });
}

void AddEnvs(ObjectFields& holder, std::string_view list, Component& component) {
  holder.Objects(list, kMaxEnvs, [&](ObjectFields env) {
    const auto name = env.Text("name");
    if (name == "BENTOML_MODEL_PREHEAT" || name == "BENTOML_HF_CACHE_DIR") {
      component.envs[name] = env.Text("value");
    }
  });
}

}  // namespace prewarm::controller::bento
