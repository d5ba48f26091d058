// The models of a Bento: which they are, and where each may lie.
#include <algorithm>
#include <utility>

#include "controller/bento/source_finder.h"

namespace prewarm::controller::bento {
namespace {

// Keys as the builder spells them.
constexpr const char* kStorageNamespace = "yatai.ai/model-storage-namepsace";
constexpr const char* kMultiTenancy = "yatai.ai/is-multi-tenancy";

// Where the image looks for models; fixed when it was built.
constexpr const char* kItemsInPod = "/home/bentoml/bento/models";
constexpr const char* kHubInPod = "/home/bentoml/bento/hf-models";
constexpr const char* kHubVariable = "BENTOML_HF_CACHE_DIR";

std::string AnnotationOf(const TextMap& annotations, const char* key) {
  const auto found = annotations.find(key);
  return found == annotations.end() ? std::string() : found->second;
}

// Both objects that can describe a bento; either may be missing.
struct Described {
  const Bento* bento = nullptr;
  const BentoRequest* request = nullptr;
};

Described Describe(const Scene& scene) {
  const auto& name_space = scene.workload.ref.name_space;
  Described described{.bento = scene.catalog.FindBento(name_space, scene.workload.bento),
                      .request = scene.catalog.FindRequest(name_space, scene.workload.bento)};
  // Left over from a request of the same name that is gone: it will be collected.
  const bool stale = described.bento != nullptr && described.request != nullptr &&
                     !described.bento->request_uid.empty() &&
                     described.bento->request_uid != described.request->ref.uid;
  if (stale) described.bento = nullptr;
  return described;
}

// Of the Bento, else of the request. A runner's tag comes bare: what the request says of the same
// tag completes it.
std::vector<DeclaredModel> ModelsOf(const Described& described) {
  const bool from_bento = described.bento != nullptr && !described.bento->models.empty();
  if (!from_bento) {
    return described.request != nullptr ? described.request->models : std::vector<DeclaredModel>();
  }
  auto models = described.bento->models;
  if (described.request == nullptr) return models;
  for (auto& model : models) {
    const auto same = std::ranges::find(described.request->models, model.tag, &DeclaredModel::tag);
    if (same == described.request->models.end()) continue;
    if (model.url.empty()) model.url = same->url;
    if (!model.bytes) model.bytes = same->bytes;
  }
  return models;
}

void AddProblems(const ObjectRef& ref, const Problems& problems, Sources& sources) {
  for (const auto& line : problems.lines()) {
    sources.unresolved.push_back(
        {.tag = ref.name, .obstacle = Obstacle::kBadObject, .reason = ref.Words() + ": " + line});
  }
}

class BentoModels {
 public:
  BentoModels(const Scene& scene, Described described, std::vector<PodMount>& mounts,
              Sources& sources)
      : scene_(scene), described_(described), mounts_(mounts), sources_(sources) {}

  void Add() {
    sources_.generation = DetectGeneration(described_.bento, described_.request);
    sources_.bento = described_.bento != nullptr ? described_.bento->tag : described_.request->tag;
    sources_.bento_exists = described_.bento != nullptr;
    sources_.runners =
        described_.bento != nullptr ? described_.bento->runners : described_.request->runners;
    if (described_.bento != nullptr) {
      AddProblems(described_.bento->ref, described_.bento->problems, sources_);
    }
    if (described_.request != nullptr) {
      AddProblems(described_.request->ref, described_.request->problems, sources_);
    }
    const auto models = ModelsOf(described_);
    std::vector<Seeded> elsewhere;
    for (const auto& model : models) AddModel(model, elsewhere);
    NoteGeneration(models.empty());
    if (!elsewhere.empty() && sources_.generation.generation == Generation::kG1) {
      AddSeeded(elsewhere);
    }
  }

 private:
  struct Seeded {
    const DeclaredModel* declared;
    ModelDirectory model;
  };

  void AddModel(const DeclaredModel& declared, std::vector<Seeded>& elsewhere) {
    auto tag = ParseModelTag(declared.tag);
    if (!tag) return Refuse(declared, tag.error());
    ModelDirectory model{.tag = *std::move(tag), .selection = {}, .hub = IsHubUrl(declared.url)};
    if (model.hub) {
      auto selection = ParseHubUrl(declared.url);
      if (!selection) return Refuse(declared, selection.error());
      model.selection = *std::move(selection);
    }
    if (!AddMounted(declared, model)) {
      elsewhere.push_back({.declared = &declared, .model = std::move(model)});
    }
  }

  void Refuse(const DeclaredModel& declared, const Error& error) {
    sources_.unresolved.push_back(NotResolved(Shown(declared), error));
  }

  // Tags are shown as they came, but never at any length.
  static std::string Shown(const DeclaredModel& declared) {
    return ParseModelTag(declared.tag) ? declared.tag : Quoted(declared.tag);
  }

  // Without a URL a tag alone does not tell an item from a repository of the hub; its version does
  // where it is an md5.
  static bool MayBeHub(const ModelDirectory& model, const DeclaredModel& declared) {
    return model.hub || (declared.url.empty() && model.tag.version.size() == 32 &&
                         model.tag.repository.find("--") != std::string::npos);
  }

  std::string HubInPod() const {
    for (const auto& component : scene_.workload.components) {
      const auto set = component.envs.find(kHubVariable);
      if (set != component.envs.end() && !set->second.empty()) return set->second;
    }
    return kHubInPod;
  }

  // Where pods mount the directory in which the image looks for the model.
  bool AddMounted(const DeclaredModel& declared, const ModelDirectory& model) {
    const auto in_pod =
        model.hub ? HubInPod()
                  : std::string(kItemsInPod) + "/" + model.tag.repository + "/" + model.tag.version;
    for (auto& mount : mounts_) {
      const auto clean = CleanPath(mount.mount_path);
      if (!clean || clean->empty() || !IsWithin(in_pod, "/" + *clean)) continue;
      const auto below = CleanPath(std::string_view(in_pod).substr(clean->size() + 1));
      if (!below) continue;
      mount.used = true;
      const auto path = BelowSubdir(*mount.volume, JoinPath(mount.directory, *below));
      if (!path) {
        Refuse(declared, path.error());
      } else {
        AddSource(declared, *mount.volume, {CandidateAt(*path, model)}, Origin::kPodVolume);
      }
      return true;
    }
    return false;
  }

  void AddSource(const DeclaredModel& declared, const KnownVolume& volume,
                 std::vector<Candidate> candidates, Origin origin) {
    const bool seeded = described_.request != nullptr &&
                        SaysAllSeeded(*described_.request, scene_.layout.storage_class);
    sources_.models.push_back({.tag = declared.tag,
                               .origin = origin,
                               .volume = volume.name,
                               .candidates = std::move(candidates),
                               .declared_bytes = declared.bytes,
                               .declared_seeded = seeded});
  }

  void NoteGeneration(bool no_models) {
    const auto& [generation, why] = sources_.generation;
    const auto suffix = " (" + std::string(GenerationName(generation)) + ": " + why + ")";
    if (generation == Generation::kG0) {
      sources_.notes.push_back({.reason = "ModelsInImage",
                                .words = "nothing of the Bento to warm here because the image "
                                         "carries its models" +
                                         suffix});
    } else if (generation == Generation::kG2) {
      sources_.notes.push_back({.reason = "ImageInS3",
                                .words = "nothing of the Bento to warm here because the layers of "
                                         "its image lie in S3" +
                                         suffix});
    } else if (generation == Generation::kUnknown) {
      sources_.unresolved.push_back({.tag = scene_.workload.bento,
                                     .obstacle = Obstacle::kGenerationUnknown,
                                     .reason = why +
                                               ": nothing of the Bento is warmed unless the "
                                               "annotation " +
                                               kModelsAnnotation + " names it"});
    } else if (no_models) {
      sources_.notes.push_back({.reason = "NoModelsListed",
                                .words = "the Bento keeps its models outside of its image" +
                                         suffix + ", but lists none: name them in the annotation " +
                                         kModelsAnnotation});
    }
  }

  void AddSeeded(const std::vector<Seeded>& models) {
    const auto* storage = scene_.catalog.FindStorageClass(scene_.layout.storage_class);
    const auto place = FindSeedPlace(storage, scene_);
    const auto namespaces =
        place ? StorageNamespaces(*place->volume) : Result<std::vector<std::string>>(place.error());
    if (place && storage->reclaim_policy != "Retain") {
      sources_.notes.push_back(
          {.reason = "ModelsNotRetained",
           .words = storage->ref.Words() +
                    " has not the reclaim policy Retain: the directories of "
                    "models go when the builder deletes its claims after seeding"});
    }
    for (const auto& [declared, model] : models) {
      if (!namespaces) {
        Refuse(*declared, namespaces.error());
      } else {
        AddSeededModel(*declared, model, *place, *namespaces);
      }
    }
  }

  void AddSeededModel(const DeclaredModel& declared, const ModelDirectory& model,
                      const SeedPlace& place, const std::vector<std::string>& namespaces) {
    std::vector<Candidate> candidates;
    for (const auto& name_space : namespaces) {
      const auto repository = JoinPath(JoinPath(place.directory, name_space), model.tag.repository);
      for (const bool hub : {false, true}) {
        if (hub ? !MayBeHub(model, declared) : model.hub) continue;
        const auto path =
            BelowSubdir(*place.volume, JoinPath(repository, hub ? "all" : model.tag.version));
        if (!path) return Refuse(declared, path.error());
        candidates.push_back(
            CandidateAt(*path, {.tag = model.tag, .selection = model.selection, .hub = hub}));
      }
    }
    AddSource(declared, *place.volume, std::move(candidates), Origin::kBento);
  }

  // The directories below models/ that can be meant, the likeliest first.
  Result<std::vector<std::string>> StorageNamespaces(const KnownVolume& volume) const {
    const auto& own = scene_.workload.ref.name_space;
    const auto& annotations = described_.request != nullptr ? described_.request->annotations
                                                            : described_.bento->annotations;
    std::vector<std::string> namespaces;
    if (auto named = AnnotationOf(annotations, kStorageNamespace); !named.empty()) {
      TRY_STATUS(CheckStorageNamespace(named));
      namespaces = {std::move(named)};
    } else if (const auto multi_tenant = MultiTenant()) {
      namespaces = {*multi_tenant ? own : ".shared"};
    } else {
      return Either(volume, own);
    }
    TRY_STATUS(MayUse(volume, own, namespaces.front()));
    return namespaces;
  }

  // Both places, while nobody has said which it is; what is not ours is not looked at.
  static Result<std::vector<std::string>> Either(const KnownVolume& volume,
                                                 const std::string& own) {
    TRY_STATUS(MayUse(volume, own, ".shared"));
    std::vector<std::string> namespaces{".shared"};
    if (MayUse(volume, own, own)) namespaces.push_back(own);
    return namespaces;
  }

  // Whether the builder keeps tenants apart. Nothing: it has not said so yet.
  std::optional<bool> MultiTenant() const {
    if (scene_.layout.multi_tenant) return scene_.layout.multi_tenant;
    const auto says = [](const TextMap& annotations) {
      return AnnotationOf(annotations, kMultiTenancy) == "true";
    };
    if (described_.request != nullptr && says(described_.request->annotations)) return true;
    if (described_.bento == nullptr) return std::nullopt;
    return says(described_.bento->annotations);
  }

  const Scene& scene_;
  const Described described_;
  std::vector<PodMount>& mounts_;
  Sources& sources_;
};

}  // namespace

void AddBentoModels(const Scene& scene, std::vector<PodMount>& mounts, Sources& sources) {
  if (scene.workload.bento.empty()) return;
  const auto described = Describe(scene);
  if (described.bento == nullptr && described.request == nullptr) {
    sources.unresolved.push_back({.tag = Quoted(scene.workload.bento),
                                  .obstacle = Obstacle::kBentoNotFound,
                                  .reason =
                                      "neither a Bento nor a BentoRequest of this name exists "
                                      "in the namespace"});
    return;
  }
  BentoModels(scene, described, mounts, sources).Add();
}

}  // namespace prewarm::controller::bento
