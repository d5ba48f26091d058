// What to warm for one workload, and in words what not and why. Two steps with a look into the
// volume between them: FindSources says where models may lie, a SourceResolver finds out for each,
// and PlanModels joins both. The plan depends on the objects as they are and on nothing else: not
// on the order in which they came. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/bento/image_generation.h"
#include "controller/bento/known_volumes.h"
#include "controller/bento/model_source.h"
#include "controller/bento/source_resolver.h"
#include "controller/bento/workload.h"

namespace prewarm::controller::bento {

// The objects as they are now. Pointers hold until the next change of the catalog.
class Catalog {
 public:
  virtual ~Catalog() = default;
  virtual const Bento* FindBento(std::string_view name_space, std::string_view name) const = 0;
  virtual const BentoRequest* FindRequest(std::string_view name_space,
                                          std::string_view name) const = 0;
  virtual const PersistentVolumeClaim* FindClaim(std::string_view name_space,
                                                 std::string_view name) const = 0;
  virtual const PersistentVolume* FindVolume(std::string_view name) const = 0;
  virtual const StorageClass* FindStorageClass(std::string_view name) const = 0;
};

// How the image builder lays out the models that it seeds; what its own configuration says.
struct BuilderLayout {
  std::string storage_class = "juicefs-sc";
  // ADD_NAMESPACE_PREFIX_TO_IMAGE_NAME; nothing: told from the Bento's annotation, and while there
  // is no Bento, both places are looked at.
  std::optional<bool> multi_tenant;
  bool operator==(const BuilderLayout&) const = default;
};

// Something a person should know that stops no model: reason of a condition, and words.
struct Note {
  std::string reason;  // CamelCase
  std::string words;
  auto operator<=>(const Note&) const = default;
};

struct Sources {
  GenerationVerdict generation;
  std::string bento;                 // the tag of the Bento, where one is known
  bool bento_exists = false;         // not only its request: pods are near
  std::vector<std::string> runners;  // of the Bento: for WithRunners
  bool skipped = false;
  std::vector<ModelSource> models;
  std::vector<Unresolved> unresolved;
  std::vector<Note> notes;
  bool operator==(const Sources&) const = default;
};

Sources FindSources(const Workload& workload, const Catalog& catalog, const KnownVolumes& volumes,
                    const BuilderLayout& layout);

enum class ModelState : std::uint8_t {
  kUnlooked,  // the volume has not been looked at yet
  kAbsent,
  kPartial,  // being seeded: not to be called warm, whatever is warmed of it
  kSeeded,
};
std::string_view StateName(ModelState state);  // "unlooked", …

struct PlannedModel {
  std::string tag;
  Origin origin = Origin::kBento;
  std::string volume;
  std::vector<std::string> paths;  // relative to the known volume's subdir; "/" is all of it
  std::optional<std::uint64_t> bytes;
  ModelState state = ModelState::kUnlooked;
  std::string reason;
  bool operator==(const PlannedModel&) const = default;
};

struct ModelPlan {
  Generation generation = Generation::kNone;
  std::string bento;
  bool bento_exists = false;
  bool skipped = false;
  std::vector<PlannedModel> models;  // sorted by tag and volume
  std::vector<Unresolved> unresolved;
  std::vector<Note> notes;
  bool operator==(const ModelPlan&) const = default;

  // All that is known is there and nothing is unresolved.
  [[nodiscard]] bool IsWhole() const;
};

// What is whole on each volume. A model that is still being seeded is warmed when it is complete.
struct VolumePaths {
  std::vector<std::string> paths;  // sorted, each once
  std::uint64_t bytes = 0;
};
std::map<std::string, VolumePaths> SeededPaths(const ModelPlan& models);

// `answers` by ModelSource::Key(); a source without an answer is kUnlooked.
ModelPlan PlanModels(const Sources& sources, const std::map<std::string, SourceAnswer>& answers);

}  // namespace prewarm::controller::bento
