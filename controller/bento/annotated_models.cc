// What people name by hand: prewarm.dev/models: volume:path,volume:path.
#include <algorithm>
#include <utility>

#include "controller/bento/source_finder.h"

namespace prewarm::controller::bento {
namespace {

std::string_view Trimmed(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

Result<ModelSource> SourceOf(std::string_view entry, const Scene& scene) {
  const auto colon = entry.find(':');
  if (colon == std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, Quoted(entry) + " is not volume:path");
  }
  if (colon + 1 == entry.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                Quoted(entry) + " names no path: \"/\" is the whole volume");
  }
  const auto* volume = scene.volumes.Named(entry.substr(0, colon));
  if (volume == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "no volume " + Quoted(entry.substr(0, colon)) + " is configured");
  }
  TRY(const auto below, CleanPath(entry.substr(colon + 1)));
  const auto path = JoinPath(volume->subdir, below);
  TRY_STATUS(MayUsePath(*volume, scene.workload.ref.name_space, path));
  TRY(auto candidate, CandidateNamed(*volume, path));
  ModelSource source{.tag = std::string(entry),
                     .origin = Origin::kAnnotation,
                     .volume = volume->name,
                     .candidates = {},
                     .declared_bytes = {},
                     .declared_seeded = false};
  source.candidates.push_back(std::move(candidate));
  return source;
}

}  // namespace

void AddAnnotatedModels(const Scene& scene, Sources& sources) {
  const auto annotation = scene.workload.annotations.find(kModelsAnnotation);
  if (annotation == scene.workload.annotations.end()) return;
  std::string_view rest = annotation->second;
  for (std::size_t count = 0; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto entry = Trimmed(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (entry.empty()) continue;
    if (++count > kMaxModels) {
      sources.unresolved.push_back(
          {.tag = kModelsAnnotation,
           .obstacle = Obstacle::kBadObject,
           .reason = "the annotation names more than " + std::to_string(kMaxModels) + " paths"});
      return;
    }
    if (auto source = SourceOf(entry, scene)) {
      sources.models.push_back(*std::move(source));
    } else {
      sources.unresolved.push_back(NotResolved(Quoted(entry), source.error()));
    }
  }
}

}  // namespace prewarm::controller::bento
