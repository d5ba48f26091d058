#include "controller/operator/bento_lookup.h"

#include <chrono>
#include <map>
#include <utility>

#include "controller/operator/bento_choice.h"
#include "controller/operator/source_lookup.h"
#include "controller/reconcile/refusals.h"

namespace prewarm::controller {
namespace {

constexpr auto kSoonSynced = std::chrono::seconds(1);

// As if it were deployed by itself: with no pods of its own that mount volumes.
bento::Workload AloneOf(const std::string& name_space, const std::string& bento) {
  bento::Workload workload;
  workload.ref = {"resources.yatai.ai/v1alpha1", "Bento", name_space, bento, ""};
  workload.bento = bento;
  return workload;
}

}  // namespace

BentoLookup::BentoLookup(const ClusterView& view, const VolumeMap& volumes,
                         bento::BuilderLayout layout)
    : view_(view), volumes_(volumes), layout_(std::move(layout)) {}

Task<ApiResult<ModelPaths>> BentoLookup::Resolve(std::string name_space, std::string asked) {
  if (!view_.synced()) {
    Problem problem{ProblemKind::kUnavailable, "cluster-unknown",
                    "the objects of the cluster are not all known yet"};
    problem.retry_after = kSoonSynced;
    co_return Refuse(std::move(problem));
  }
  const auto name = ChooseBento(asked, view_.BentosOf(name_space));
  if (!name) co_return Refuse(name.error());
  const auto policies = view_.Policies();
  const auto& policy = demand::PolicyFor(name_space, {}, policies);
  bento::FileRules rules;
  rules.policy = {policy.include, policy.exclude};
  const auto sources =
      bento::FindSources(AloneOf(name_space, *name), view_, KnownVolumesOf(volumes_), layout_);
  std::map<std::string, bento::SourceAnswer> answers;
  for (const auto& source : sources.models) {
    auto answer = co_await LookUpSource(volumes_, source, rules);
    if (!answer) co_return Refuse(MetadataAway(answer.error()));
    answers[source.Key()] = *std::move(answer);
  }
  co_return ChoosePaths(bento::PlanModels(sources, answers));
}

}  // namespace prewarm::controller
