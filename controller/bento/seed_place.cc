// Where the image builder puts the models that it keeps out of images: what a StorageClass and the
// builder's rules say about it.
#include <algorithm>
#include <array>
#include <utility>

#include "controller/bento/source_finder.h"

namespace prewarm::controller::bento {
namespace {

// The builder writes the model's directory into this annotation of its claim, and only a class that
// has it in its pattern heeds it.
constexpr std::array<std::string_view, 2> kPathVariables{"${.PVC.annotations.path}",
                                                         "${.pvc.annotations.path}"};

Error NoPattern(const StorageClass& storage, const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, storage.ref.Words() +
                                             " does not say where models lie: its pathPattern " +
                                             why + ", not " + std::string(kPathVariables[0]));
}

// What stands before the model's directory; nothing may stand behind it.
Result<std::string> PatternPrefix(const StorageClass& storage) {
  const auto& pattern = storage.path_pattern;
  if (pattern.empty()) return NoPattern(storage, "is missing");
  for (const auto variable : kPathVariables) {
    if (!pattern.ends_with(variable)) continue;
    const auto prefix = pattern.substr(0, pattern.size() - variable.size());
    if (prefix.find('$') != std::string::npos) break;
    if (!prefix.empty() && !prefix.ends_with('/')) break;
    return CleanPath(prefix);
  }
  return NoPattern(storage, "is " + Quoted(pattern));
}

}  // namespace

Result<SeedPlace> FindSeedPlace(const StorageClass* storage, const Scene& scene) {
  if (storage == nullptr) {
    return Fail(ErrorCode::kInvalidConfig, "StorageClass " + scene.layout.storage_class +
                                               ", which the image builder is said to use, does "
                                               "not exist");
  }
  if (storage->provisioner != kJuiceFsDriver) {
    return Fail(ErrorCode::kInvalidConfig, storage->ref.Words() + " is of " +
                                               Quoted(storage->provisioner) + ", not of " +
                                               kJuiceFsDriver);
  }
  TRY(const auto prefix, PatternPrefix(*storage));
  TRY(const auto subdir, CleanPath(storage->mount_subdir));
  TRY(const auto* volume, scene.volumes.Of(*storage));
  return SeedPlace{.volume = volume, .directory = JoinPath(JoinPath(subdir, prefix), "models")};
}

Candidate CandidateAt(std::string path, const ModelDirectory& model) {
  Candidate candidate{.layout = model.hub ? Layout::kHub : Layout::kItem,
                      .path = std::move(path),
                      .version = {},
                      .folder = {},
                      .selection = model.selection};
  if (model.hub) {
    candidate.version = model.tag.version;
    candidate.folder =
        HubFolder(model.selection ? model.selection->model_id : model.tag.repository);
  }
  return candidate;
}

Result<Candidate> CandidateNamed(const KnownVolume& volume, const std::string& path_from_root) {
  TRY(auto path, BelowSubdir(volume, path_from_root));
  Candidate candidate{.layout = Layout::kTree,
                      .path = std::move(path),
                      .version = {},
                      .folder = {},
                      .selection = {}};
  const auto& models = volume.models_directory;
  if (!IsWithin(path_from_root, models)) return candidate;
  // <storage namespace>/<repository>/<version>
  const auto below = std::string_view(path_from_root).substr(models.empty() ? 0 : models.size());
  const auto version = below.rfind('/');
  if (std::ranges::count(below, '/') != (models.empty() ? 2 : 3)) return candidate;
  if (below.substr(version + 1) != "all") {
    candidate.layout = Layout::kItem;
    return candidate;
  }
  const auto repository = below.rfind('/', version - 1);
  candidate.layout = Layout::kHub;
  candidate.folder = HubFolder(below.substr(repository + 1, version - repository - 1));
  return candidate;
}

bool SaysAllSeeded(const BentoRequest& request, std::string_view storage_class) {
  if (!request.models_exist || request.models_exist->status != "True") return false;
  std::string_view rest = request.models_exist->message;
  if (!rest.starts_with(std::string(storage_class) + ":")) return false;
  rest.remove_prefix(storage_class.size() + 1);
  std::vector<std::string_view> tags;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    tags.push_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  return std::ranges::all_of(request.models, [&](const DeclaredModel& model) {
    return std::ranges::find(tags, model.tag) != tags.end();
  });
}

}  // namespace prewarm::controller::bento
