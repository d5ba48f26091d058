#include "controller/operator/bento_choice.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "common/base/nearest.h"
#include "controller/api/spec_rules.h"
#include "controller/reconcile/refusals.h"

namespace prewarm::controller {
namespace {

constexpr const char* kField = "bento";

Problem CannotBeDone(std::string type, std::string detail,
                     const std::vector<std::string>& reasons) {
  FieldProblems fields;
  for (const auto& reason : reasons) fields.Add(kField, reason);
  auto problem = std::move(fields).ToProblem();
  problem.kind = ProblemKind::kUnprocessable;
  problem.type = std::move(type);
  problem.detail = std::move(detail);
  return problem;
}

std::string Joined(const std::set<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

ApiResult<std::string> NoSuchBento(std::string_view asked, std::span<const BentoName> known) {
  std::vector<std::string> words;
  for (const auto& bento : known) {
    words.push_back(bento.name);
    if (!bento.tag.empty()) words.push_back(bento.tag);
  }
  const auto nearest = NearestWord(asked, words);
  return Refuse(Invalid("unknown-bento", kField,
                        "the namespace has no Bento or BentoRequest \"" + std::string(asked) +
                            "\"" +
                            (nearest.empty() ? "; kubectl get bentoes,bentorequests lists them"
                                             : ": did you mean " + nearest + "?")));
}

// Why the models cannot be warmed as a whole; empty if they can.
std::vector<std::string> Obstacles(const bento::ModelPlan& models) {
  std::vector<std::string> reasons;
  reasons.reserve(models.unresolved.size() + models.models.size());
  for (const auto& model : models.unresolved) reasons.push_back(model.tag + ": " + model.reason);
  for (const auto& model : models.models) {
    if (model.state != bento::ModelState::kSeeded)
      reasons.push_back(model.tag + ": " + model.reason);
  }
  return reasons;
}

}  // namespace

ApiResult<std::string> ChooseBento(std::string_view asked, std::span<const BentoName> known) {
  if (std::ranges::find(known, asked, &BentoName::name) != known.end()) return std::string(asked);
  std::set<std::string> names;
  for (const auto& bento : known) {
    if (bento.tag == asked) names.insert(bento.name);
  }
  if (names.empty()) return NoSuchBento(asked, known);
  if (names.size() == 1) return *names.begin();
  return Refuse(Invalid(
      "several-bentos", kField,
      "several Bentos have the tag \"" + std::string(asked) + "\": name one of " + Joined(names)));
}

ApiResult<ModelPaths> ChoosePaths(const bento::ModelPlan& models) {
  if (const auto reasons = Obstacles(models); !reasons.empty()) {
    return Refuse(CannotBeDone("bento-not-ready",
                               "not all models of the Bento can be warmed: " + reasons.front() +
                                   (reasons.size() > 1 ? " (and more)" : ""),
                               reasons));
  }
  auto by_volume = bento::SeededPaths(models);
  std::erase_if(by_volume, [](const auto& entry) { return entry.second.paths.empty(); });
  if (by_volume.empty()) {
    std::vector<std::string> reasons;
    reasons.reserve(models.notes.size() + 1);
    for (const auto& note : models.notes) reasons.push_back(note.words);
    if (reasons.empty()) reasons.emplace_back("nothing of it lies on a volume");
    return Refuse(CannotBeDone("nothing-to-warm", reasons.front(), reasons));
  }
  if (by_volume.size() > 1) {
    std::vector<std::string> where;
    for (const auto& [volume, found] : by_volume) {
      for (const auto& path : found.paths) where.push_back(volume + ":" + path);
    }
    return Refuse(
        CannotBeDone("several-volumes",
                     "the models of the Bento lie on several volumes, and a prewarm is of "
                     "one: make one for each, by volume and paths",
                     where));
  }
  auto& [volume, found] = *by_volume.begin();
  if (found.paths.size() > kMaxPaths) {
    const auto words = std::to_string(found.paths.size()) +
                       " files are named, and a prewarm takes " + std::to_string(kMaxPaths) +
                       ": name directories of volume " + volume;
    return Refuse(CannotBeDone("too-many-paths", words, {words}));
  }
  return ModelPaths{volume, std::move(found.paths)};
}

}  // namespace prewarm::controller
