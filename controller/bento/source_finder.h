// The steps of FindSources, each one way in which objects say where models lie. Every step adds
// what it found, and what it could not use, to the same Sources. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "controller/bento/model_names.h"
#include "controller/bento/model_plan.h"

namespace prewarm::controller::bento {

// What every step reads.
struct Scene {
  const Workload& workload;
  const Catalog& catalog;
  const KnownVolumes& volumes;
  const BuilderLayout& layout;
};

// A directory of a known volume as pods of the workload see it.
struct PodMount {
  const KnownVolume* volume = nullptr;
  std::string directory;   // from the volume's root
  std::string mount_path;  // in the pod
  std::string claim;
  bool used = false;  // a model was found to lie in it
};

// Claims that are not bound, and volumes that nobody configured, become unresolved; what another
// driver provides is none of our business.
std::vector<PodMount> FindPodMounts(const Scene& scene, Sources& sources);

// The models of the workload's Bento: where a mount shows them, else where the builder seeds them.
void AddBentoModels(const Scene& scene, std::vector<PodMount>& mounts, Sources& sources);

// Mounted directories in which no model of the Bento lies are models themselves.
void AddMountedDirectories(const std::vector<PodMount>& mounts, Sources& sources);

// What the annotation names.
void AddAnnotatedModels(const Scene& scene, Sources& sources);

// Where the builder seeds its models to.
struct SeedPlace {
  const KnownVolume* volume = nullptr;
  std::string directory;  // from the volume's root, of all tenants: "models"
};

// kNotFound and kConflict: no configured volume, or several; kInvalidConfig: the StorageClass does
// not say where models lie, and it is not for us to guess.
Result<SeedPlace> FindSeedPlace(const StorageClass* storage, const Scene& scene);

// Of the directory that keeps one model, from the volume's root.
struct ModelDirectory {
  ModelTag tag;
  std::optional<HubSelection> selection;
  bool hub = false;
};
Candidate CandidateAt(std::string path, const ModelDirectory& model);

// A directory that is named by its path: where it lies as the builder lays out models, its marker
// is asked for too. kPermission: outside of the volume's `subdir`.
Result<Candidate> CandidateNamed(const KnownVolume& volume, const std::string& path_from_root);

// The models that a BentoRequest says have been seeded; only if it can be believed: seeded through
// that storage class, and all of its models are named.
bool SaysAllSeeded(const BentoRequest& request, std::string_view storage_class);

Unresolved NotResolved(std::string tag, const Error& error);

}  // namespace prewarm::controller::bento
