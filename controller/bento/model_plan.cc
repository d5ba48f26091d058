#include "controller/bento/model_plan.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "common/base/utf8.h"
#include "controller/bento/source_finder.h"

namespace prewarm::controller::bento {
namespace {

constexpr std::size_t kShownOfPath = 256;  // bytes

template <class T>
void SortUnique(std::vector<T>& items) {
  std::ranges::sort(items);
  const auto rest = std::ranges::unique(items);
  items.erase(rest.begin(), rest.end());
}

// One place looked at for the same tag counts once, however many ways lead to it.
void Settle(Sources& sources) {
  std::ranges::sort(sources.models, {}, [](const ModelSource& source) {
    return std::tuple(source.tag, source.volume, source.Key(), source.origin);
  });
  const auto rest = std::ranges::unique(sources.models, {}, [](const ModelSource& source) {
    return std::pair(source.tag, source.Key());
  });
  sources.models.erase(rest.begin(), rest.end());
  SortUnique(sources.unresolved);
  SortUnique(sources.notes);
}

std::string And(std::string words, const std::string& more) {
  if (!words.empty() && !more.empty()) words += "; ";
  return words + more;
}

// No object of the cluster can carry such a name, so that a prewarm of it could not be kept.
const std::string* FirstThatIsNoText(const std::vector<std::string>& paths) {
  const auto found = std::ranges::find_if_not(paths, IsUtf8);
  return found == paths.end() ? nullptr : &*found;
}

PlannedModel Planned(const ModelSource& source, const SourceAnswer* answer) {
  PlannedModel model{.tag = source.tag,
                     .origin = source.origin,
                     .volume = source.volume,
                     .paths = {},
                     .bytes = source.declared_bytes,
                     .state = ModelState::kUnlooked,
                     .reason = "the volume has not been looked at yet"};
  if (answer == nullptr) return model;
  model.paths = answer->paths;
  if (answer->bytes && !answer->paths.empty()) model.bytes = answer->bytes;
  model.reason = answer->reason;
  switch (answer->completeness) {
    case Completeness::kComplete: model.state = ModelState::kSeeded; return model;
    case Completeness::kPartial: model.state = ModelState::kPartial; break;
    case Completeness::kAbsent: model.state = ModelState::kAbsent; break;
  }
  if (source.declared_seeded) {
    model.reason =
        And(model.reason,
            "the BentoRequest says that it is seeded, but what lies on the volume counts");
  }
  return model;
}

}  // namespace

Unresolved NotResolved(std::string tag, const Error& error) {
  Obstacle obstacle = Obstacle::kBadName;
  switch (error.code) {
    case ErrorCode::kPermission: obstacle = Obstacle::kNotAllowed; break;
    case ErrorCode::kInvalidConfig: obstacle = Obstacle::kLayoutUnknown; break;
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict: obstacle = Obstacle::kUnknownVolume; break;
    default: break;
  }
  return {.tag = std::move(tag), .obstacle = obstacle, .reason = error.message};
}

Sources FindSources(const Workload& workload, const Catalog& catalog, const KnownVolumes& volumes,
                    const BuilderLayout& layout) {
  Sources sources;
  const auto skip = workload.annotations.find(kSkipAnnotation);
  if (skip != workload.annotations.end() && skip->second == "true") {
    sources.skipped = true;
    sources.notes.push_back(
        {.reason = "Skipped",
         .words = std::string("nothing is warmed because of the annotation ") + kSkipAnnotation});
    return sources;
  }
  for (const auto& line : workload.problems.lines()) {
    sources.unresolved.push_back({.tag = workload.ref.name,
                                  .obstacle = Obstacle::kBadObject,
                                  .reason = workload.ref.Words() + ": " + line});
  }
  const Scene scene{.workload = workload, .catalog = catalog, .volumes = volumes, .layout = layout};
  auto mounts = FindPodMounts(scene, sources);
  AddBentoModels(scene, mounts, sources);
  AddMountedDirectories(mounts, sources);
  AddAnnotatedModels(scene, sources);
  if (sources.models.empty() && sources.unresolved.empty() && sources.notes.empty()) {
    sources.notes.push_back(
        {.reason = "NothingNamed",
         .words = std::string("nothing names a model of this workload: neither a "
                              "Bento, nor a volume, nor the annotation ") +
                  kModelsAnnotation});
  }
  Settle(sources);
  return sources;
}

std::string_view StateName(ModelState state) {
  switch (state) {
    case ModelState::kUnlooked: return "unlooked";
    case ModelState::kAbsent: return "absent";
    case ModelState::kPartial: return "partial";
    case ModelState::kSeeded: break;
  }
  return "seeded";
}

bool ModelPlan::IsWhole() const {
  return !models.empty() && unresolved.empty() &&
         std::ranges::all_of(
             models, [](const PlannedModel& model) { return model.state == ModelState::kSeeded; });
}

std::map<std::string, VolumePaths> SeededPaths(const ModelPlan& models) {
  std::map<std::string, VolumePaths> by_volume;
  for (const auto& model : models.models) {
    if (model.state != ModelState::kSeeded) continue;
    auto& into = by_volume[model.volume];
    into.paths.insert(into.paths.end(), model.paths.begin(), model.paths.end());
    into.bytes += model.bytes.value_or(0);
  }
  for (auto& [volume, into] : by_volume) {
    SortUnique(into.paths);
  }
  return by_volume;
}

ModelPlan PlanModels(const Sources& sources, const std::map<std::string, SourceAnswer>& answers) {
  ModelPlan plan{.generation = sources.generation.generation,
                 .bento = sources.bento,
                 .bento_exists = sources.bento_exists,
                 .skipped = sources.skipped,
                 .models = {},
                 .unresolved = sources.unresolved,
                 .notes = sources.notes};
  plan.models.reserve(sources.models.size());
  for (const auto& source : sources.models) {
    const auto answer = answers.find(source.Key());
    auto model = Planned(source, answer == answers.end() ? nullptr : &answer->second);
    if (const auto* path = FirstThatIsNoText(model.paths)) {
      plan.unresolved.push_back({.tag = source.tag,
                                 .obstacle = Obstacle::kBadName,
                                 .reason = "the name of its file " + ToUtf8(*path, kShownOfPath) +
                                           " is not UTF-8: rename it, or exclude it by a policy"});
      continue;
    }
    plan.models.push_back(std::move(model));
  }
  return plan;
}

}  // namespace prewarm::controller::bento
