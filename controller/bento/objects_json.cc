#include "controller/bento/objects_json.h"

#include <algorithm>
#include <utility>

#include "controller/bento/object_fields.h"

namespace prewarm::controller::bento {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTagBytes = 256;
constexpr std::size_t kMaxConditions = 32;
constexpr std::size_t kMaxOwners = 32;
constexpr std::size_t kMaxMountOptions = 64;
constexpr std::size_t kMaxConditionBytes = 32 << 10;

void AddModel(DeclaredModel model, const std::string& place, Problems& problems,
              std::vector<DeclaredModel>& models) {
  const auto same = std::ranges::find(models, model.tag, &DeclaredModel::tag);
  if (same != models.end()) return;
  if (models.size() == kMaxModels) {
    problems.Add(place, "names more than " + std::to_string(kMaxModels) + " models");
    return;
  }
  models.push_back(std::move(model));
}

// spec.models first: they have URLs and sizes, which the tags of runners have not.
void ReadModels(ObjectFields& spec, std::vector<DeclaredModel>& models,
                std::vector<std::string>& runners) {
  spec.Objects("models", kMaxModels, [&](ObjectFields model) {
    DeclaredModel declared{.tag = model.Text("tag", kMaxTagBytes),
                           .url = model.Text("downloadUrl"),
                           .bytes = model.Bytes("size")};
    if (declared.tag.empty()) {
      model.problems().Add(model.PathOf("tag"), "is missing");
    } else {
      AddModel(std::move(declared), model.path(), model.problems(), models);
    }
  });
  spec.Objects("runners", kMaxRunners, [&](ObjectFields runner) {
    runners.push_back(runner.Text("name"));
    runner.TextList("modelTags", kMaxModels, [&](std::string tag) {
      AddModel({.tag = std::move(tag), .url = {}, .bytes = {}}, runner.path(), runner.problems(),
               models);
    });
  });
}

TextMap ReadAnnotations(ObjectFields& top) {
  return top.Object("metadata").Texts("annotations", IsOurAnnotation);
}

// Everything but the fields of one kind.
template <class T>
std::optional<T> Begin(const json::object& object, std::string_view kind) {
  auto ref = ReadObjectRef(object, kind);
  if (!ref) return std::nullopt;
  T value;
  value.ref = std::move(*ref);
  return value;
}

// "rw,subdir=a" and "subdir=a" are both entries of mountOptions.
std::string SubdirOf(ObjectFields& holder) {
  std::string subdir;
  holder.TextList("mountOptions", kMaxMountOptions, [&](const std::string& options) {
    std::string_view rest = options;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      const auto option = rest.substr(0, comma);
      if (option.starts_with("subdir=")) subdir = option.substr(option.find('=') + 1);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  });
  return subdir;
}

SecretRef ReadSecretRef(ObjectFields fields) {
  return {.name_space = fields.Text("namespace"), .name = fields.Text("name")};
}

}  // namespace

std::optional<Bento> ReadBento(const json::object& object) {
  auto bento = Begin<Bento>(object, "Bento");
  if (!bento) return std::nullopt;
  ObjectFields top(object, "", bento->problems);
  bento->annotations = ReadAnnotations(top);
  top.Object("metadata").Objects("ownerReferences", kMaxOwners, [&](ObjectFields owner) {
    if (owner.Text("kind") == "BentoRequest") bento->request_uid = owner.Text("uid");
  });
  auto spec = top.Object("spec");
  bento->tag = spec.Text("tag", kMaxTagBytes);
  bento->image = spec.Text("image");
  ReadModels(spec, bento->models, bento->runners);
  return bento;
}

std::optional<BentoRequest> ReadBentoRequest(const json::object& object) {
  auto request = Begin<BentoRequest>(object, "BentoRequest");
  if (!request) return std::nullopt;
  ObjectFields top(object, "", request->problems);
  request->annotations = ReadAnnotations(top);
  auto spec = top.Object("spec");
  request->tag = spec.Text("bentoTag", kMaxTagBytes);
  request->image = spec.Text("image");
  ReadModels(spec, request->models, request->runners);
  top.Object("status").Objects("conditions", kMaxConditions, [&](ObjectFields condition) {
    const auto type = condition.Text("type");
    auto* known = type == "ModelsExists"    ? &request->models_exist
                  : type == "ModelsSeeding" ? &request->models_seeding
                                            : nullptr;
    if (known == nullptr) return;
    *known = Condition{.status = condition.Text("status"),
                       .message = condition.Text("message", kMaxConditionBytes)};
  });
  return request;
}

std::optional<PersistentVolume> ReadPersistentVolume(const json::object& object) {
  auto volume = Begin<PersistentVolume>(object, "PersistentVolume");
  if (!volume) return std::nullopt;
  ObjectFields top(object, "", volume->problems);
  auto spec = top.Object("spec");
  auto csi = spec.Object("csi");
  volume->driver = csi.Text("driver");
  volume->volume_handle = csi.Text("volumeHandle");
  volume->sub_path = csi.Object("volumeAttributes").Text("subPath");
  volume->node_publish_secret = ReadSecretRef(csi.Object("nodePublishSecretRef"));
  volume->mount_subdir = SubdirOf(spec);
  volume->storage_class = spec.Text("storageClassName");
  auto claim = spec.Object("claimRef");
  volume->claim = {.api_version = {},
                   .kind = "PersistentVolumeClaim",
                   .name_space = claim.Text("namespace"),
                   .name = claim.Text("name"),
                   .uid = claim.Text("uid")};
  volume->phase = top.Object("status").Text("phase");
  return volume;
}

std::optional<PersistentVolumeClaim> ReadPersistentVolumeClaim(const json::object& object) {
  auto claim = Begin<PersistentVolumeClaim>(object, "PersistentVolumeClaim");
  if (!claim) return std::nullopt;
  ObjectFields top(object, "", claim->problems);
  auto spec = top.Object("spec");
  claim->volume = spec.Text("volumeName");
  claim->storage_class = spec.Text("storageClassName");
  claim->phase = top.Object("status").Text("phase");
  return claim;
}

std::optional<StorageClass> ReadStorageClass(const json::object& object) {
  auto storage = Begin<StorageClass>(object, "StorageClass");
  if (!storage) return std::nullopt;
  ObjectFields top(object, "", storage->problems);
  storage->provisioner = top.Text("provisioner");
  storage->reclaim_policy = top.Text("reclaimPolicy");
  storage->mount_subdir = SubdirOf(top);
  auto parameters = top.Object("parameters");
  storage->path_pattern = parameters.Text("pathPattern");
  storage->node_publish_secret = {
      .name_space = parameters.Text("csi.storage.k8s.io/node-publish-secret-namespace"),
      .name = parameters.Text("csi.storage.k8s.io/node-publish-secret-name")};
  return storage;
}

}  // namespace prewarm::controller::bento
