#include "controller/bento/model_source.h"

namespace prewarm::controller::bento {
namespace {

// Parts cannot run together: none of them holds a control character.
constexpr char kBetween = '\x1f';

void AppendPatterns(const std::vector<std::string>& patterns, std::string& key) {
  for (const auto& pattern : patterns) (key += pattern) += kBetween;
  key += kBetween;
}

}  // namespace

std::string_view OriginName(Origin origin) {
  switch (origin) {
    case Origin::kPodVolume: return "pod volume";
    case Origin::kBento: return "Bento";
    case Origin::kAnnotation: break;
  }
  return "annotation";
}

std::string ModelSource::Key() const {
  std::string key = volume;
  for (const auto& candidate : candidates) {
    key += kBetween;
    key += static_cast<char>('0' + static_cast<int>(candidate.layout));
    ((key += candidate.path) += kBetween) += candidate.version;
    (key += kBetween) += candidate.folder;
    if (!candidate.selection) continue;
    (key += kBetween) += candidate.selection->revision;
    key += kBetween;
    AppendPatterns(candidate.selection->files.include, key);
    AppendPatterns(candidate.selection->files.exclude, key);
  }
  return key;
}

std::string_view ObstacleName(Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::kBadName: return "BadName";
    case Obstacle::kBadObject: return "BadObject";
    case Obstacle::kBentoNotFound: return "BentoNotFound";
    case Obstacle::kClaimNotBound: return "ClaimNotBound";
    case Obstacle::kUnknownVolume: return "UnknownVolume";
    case Obstacle::kNotAllowed: return "NotAllowed";
    case Obstacle::kLayoutUnknown: return "LayoutUnknown";
    case Obstacle::kWholeVolume: return "WholeVolume";
    case Obstacle::kGenerationUnknown: break;
  }
  return "GenerationUnknown";
}

}  // namespace prewarm::controller::bento
