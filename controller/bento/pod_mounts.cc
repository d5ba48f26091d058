// The models that a pod mounts: from a claim to its volume, from the volume to JuiceFS.
#include <map>
#include <utility>
#include <variant>

#include "controller/bento/source_finder.h"

namespace prewarm::controller::bento {
namespace {

// What a claim turns out to be.
struct NotOurs {};
struct Bound {
  const KnownVolume* volume;
  std::string directory;
};
using ClaimOutcome = std::variant<NotOurs, Bound, Unresolved>;

Unresolved NotBound(const std::string& claim, std::string why) {
  return {.tag = claim, .obstacle = Obstacle::kClaimNotBound, .reason = std::move(why)};
}

// A claim can name any volume; only the volume's own word binds them, and a claim made anew under
// the same name is another one.
bool IsBound(const PersistentVolumeClaim& claim, const PersistentVolume& volume) {
  return claim.phase == "Bound" && volume.claim.name_space == claim.ref.name_space &&
         volume.claim.name == claim.ref.name && volume.claim.uid == claim.ref.uid;
}

bool IsOfAnotherDriver(const Catalog& catalog, const std::string& storage_class) {
  const auto* storage = catalog.FindStorageClass(storage_class);
  return storage != nullptr && storage->provisioner != kJuiceFsDriver;
}

Result<std::string> VolumeDirectory(const PersistentVolume& volume) {
  TRY(const auto subdir, CleanPath(volume.mount_subdir));
  TRY(const auto sub_path, CleanPath(volume.sub_path));
  return JoinPath(subdir, sub_path);
}

ClaimOutcome FollowVolume(const Scene& scene, const std::string& claim,
                          const PersistentVolume& volume) {
  if (volume.driver != kJuiceFsDriver) return NotOurs{};
  const auto known = scene.volumes.Of(volume);
  if (!known) return NotResolved(claim, known.error());
  const auto& name_space = scene.workload.ref.name_space;
  if (!(*known)->Allows(name_space)) {
    return Unresolved{.tag = claim,
                      .obstacle = Obstacle::kNotAllowed,
                      .reason = "namespace " + name_space + " may not use the volume " +
                                (*known)->name + ", to which " + volume.ref.Words() + " belongs"};
  }
  auto directory = VolumeDirectory(volume);
  if (!directory) return NotResolved(claim, directory.error());
  return Bound{.volume = *known, .directory = *std::move(directory)};
}

ClaimOutcome FollowClaim(const Scene& scene, const std::string& name) {
  const auto& name_space = scene.workload.ref.name_space;
  const auto* claim = scene.catalog.FindClaim(name_space, name);
  const auto words = "PersistentVolumeClaim " + name_space + "/" + name;
  if (claim == nullptr) return NotBound(name, words + " does not exist");
  const auto* volume = claim->volume.empty() ? nullptr : scene.catalog.FindVolume(claim->volume);
  if (volume != nullptr && IsBound(*claim, *volume)) return FollowVolume(scene, name, *volume);
  if (IsOfAnotherDriver(scene.catalog, claim->storage_class)) return NotOurs{};
  if (volume != nullptr && volume->driver != kJuiceFsDriver) return NotOurs{};
  return NotBound(name, words + " is not bound to a PersistentVolume" +
                            (claim->phase.empty() ? "" : " (it is " + Quoted(claim->phase) + ")"));
}

class MountFinder {
 public:
  MountFinder(const Scene& scene, Sources& sources) : scene_(scene), sources_(sources) {}

  void Add(const Component& component, const PodVolume& volume) {
    if (volume.claim.empty()) {
      if (volume.inline_driver == kJuiceFsDriver) {
        sources_.unresolved.push_back(
            {.tag = volume.name,
             .obstacle = Obstacle::kUnknownVolume,
             .reason = "the pod's volume " + Quoted(volume.name) +
                       " is mounted without a PersistentVolumeClaim, so that nothing says what it "
                       "is"});
      }
      return;
    }
    for (const auto& mount : component.mounts) {
      if (mount.volume == volume.name) AddMount(volume.claim, mount);
    }
  }

  std::vector<PodMount> Take() { return std::move(mounts_); }

 private:
  void AddMount(const std::string& claim, const VolumeMount& mount) {
    auto [at, is_new] = claims_.try_emplace(claim);
    if (is_new) {
      at->second = FollowClaim(scene_, claim);
      if (auto* not_used = std::get_if<Unresolved>(&at->second)) {
        sources_.unresolved.push_back(*not_used);
      }
    }
    const auto* bound = std::get_if<Bound>(&at->second);
    if (bound == nullptr) return;
    if (mount.sub_path_varies) {
      sources_.unresolved.push_back({.tag = claim,
                                     .obstacle = Obstacle::kWholeVolume,
                                     .reason = "which directory of the claim a pod mounts depends "
                                               "on the pod (subPathExpr)"});
      return;
    }
    const auto below = CleanPath(mount.sub_path);
    if (!below) {
      sources_.unresolved.push_back(NotResolved(claim, below.error()));
      return;
    }
    mounts_.push_back({.volume = bound->volume,
                       .directory = JoinPath(bound->directory, *below),
                       .mount_path = mount.mount_path,
                       .claim = claim,
                       .used = false});
  }

  const Scene& scene_;
  Sources& sources_;
  std::map<std::string, ClaimOutcome> claims_;
  std::vector<PodMount> mounts_;
};

// The whole volume, all models, or all models of one tenant: which of them the pod uses, it does
// not say.
bool HoldsManyModels(const PodMount& mount) {
  const auto& models = mount.volume->models_directory;
  if (IsWithin(models, mount.directory) || mount.directory == mount.volume->subdir) return true;
  return IsWithin(mount.directory, models) &&
         mount.directory.find('/', models.empty() ? 0 : models.size() + 1) == std::string::npos;
}

Result<ModelSource> MountedSource(const PodMount& mount) {
  TRY(auto candidate, CandidateNamed(*mount.volume, mount.directory));
  ModelSource source{.tag = mount.claim,
                     .origin = Origin::kPodVolume,
                     .volume = mount.volume->name,
                     .candidates = {},
                     .declared_bytes = {},
                     .declared_seeded = false};
  source.candidates.push_back(std::move(candidate));
  return source;
}

}  // namespace

std::vector<PodMount> FindPodMounts(const Scene& scene, Sources& sources) {
  MountFinder finder(scene, sources);
  for (const auto& component : scene.workload.components) {
    for (const auto& volume : component.volumes) finder.Add(component, volume);
  }
  return finder.Take();
}

void AddMountedDirectories(const std::vector<PodMount>& mounts, Sources& sources) {
  for (const auto& mount : mounts) {
    if (mount.used) continue;
    if (HoldsManyModels(mount)) {
      sources.unresolved.push_back(
          {.tag = mount.claim,
           .obstacle = Obstacle::kWholeVolume,
           .reason = "the pod mounts " + Quoted("/" + mount.directory) + " of the volume " +
                     mount.volume->name +
                     " and nothing says which models of it are used: name them in the annotation " +
                     kModelsAnnotation});
    } else if (auto source = MountedSource(mount)) {
      sources.models.push_back(*std::move(source));
    } else {
      sources.unresolved.push_back(NotResolved(mount.claim, source.error()));
    }
  }
}

}  // namespace prewarm::controller::bento
