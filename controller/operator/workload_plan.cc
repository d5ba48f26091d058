#include "controller/operator/workload_plan.h"

#include <algorithm>
#include <utility>

#include "controller/demand/constraints_json.h"

namespace prewarm::controller {
namespace {

constexpr const char* kRepositoryLabel = "yatai.ai/bento-repository";
constexpr const char* kVersionLabel = "yatai.ai/bento-version";

// The pods of one version of a Bento.
demand::LabelSelector PodsOf(const std::string& tag) {
  demand::LabelSelector selector;
  const auto colon = tag.find(':');
  if (colon == std::string::npos) return selector;
  using Operator = demand::Requirement::Operator;
  selector.requirements = {{kRepositoryLabel, Operator::kIn, {tag.substr(0, colon)}},
                           {kVersionLabel, Operator::kIn, {tag.substr(colon + 1)}}};
  return selector;
}

std::string TagOf(const demand::OldRevision& revision) {
  const auto repository = revision.labels.Find(kRepositoryLabel);
  const auto version = revision.labels.Find(kVersionLabel);
  if (!repository || !version) return {};
  return std::string(*repository) + ":" + std::string(*version);
}

class Planner {
 public:
  Planner(const WorkloadInput& input, WorkloadMemory& memory)
      : input_(input), memory_(memory), seeded_(bento::SeededPaths(input.models)) {
    for (const auto& [volume, paths] : seeded_) bytes_ += paths.bytes;
  }

  WorkloadOutput Run() && {
    output_.undecided = std::ranges::any_of(input_.models.models, [](const auto& model) {
      return model.state == bento::ModelState::kUnlooked;
    });
    if (output_.undecided) return std::move(output_);
    NoteMoments();
    std::map<std::string, WorkloadMemory::OfComponent> remembered;
    for (const auto& component : input_.components) {
      auto& memory = remembered[component.component->name];
      memory = std::move(memory_.components[component.component->name]);
      PlanComponent(component, memory);
    }
    memory_.components = std::move(remembered);
    AddDesired();
    return std::move(output_);
  }

 private:
  void NoteMoments() {
    const auto now = input_.cluster.now();
    if (memory_.version != input_.models.bento) {
      memory_.known_at = memory_.seeded_at = memory_.ready_at = std::nullopt;
      memory_.version = input_.models.bento;
    }
    const bool known = !input_.models.models.empty();
    if (known && !memory_.known_at) memory_.known_at = now;
    if (!seeded_.empty() && !memory_.seeded_at) memory_.seeded_at = now;
    if (input_.models.bento_exists && !memory_.ready_at) memory_.ready_at = now;
  }

  void PlanComponent(const ComponentDemand& from, WorkloadMemory::OfComponent& memory) {
    const auto& component = *from.component;
    auto constraints = demand::ConstraintsFromJson(component.scheduling);
    if (!constraints) {
      output_.problems.push_back(component.name + ": " + constraints.error().message);
      return;
    }
    demand::ModelFacts facts;
    facts.known_at = memory_.known_at;
    facts.seeded_at = memory_.seeded_at;
    facts.ready_at = memory_.ready_at;
    facts.min_replicas = component.min_replicas;
    facts.max_replicas = component.max_replicas;
    facts.pods = PodsOf(input_.models.bento);
    const auto demand = demand::ReadSignals(facts, *from.objects, input_.policy,
                                            std::move(memory.signals), input_.cluster.now());
    memory.signals = demand.memory;
    demand::TargetRequest request;
    request.constraints = &*constraints;
    request.policy = &input_.policy;
    request.demand = &demand;
    request.objects = from.objects;
    request.bytes = bytes_;
    request.previous = memory.nodes;
    const auto plan = demand::ChooseTargets(input_.cluster, request, input_.cache_of);
    memory.nodes.clear();
    for (const auto& target : plan.targets) Take(target, demand, memory);
    if (!plan.unmet.empty()) output_.unmet.push_back(component.name + ": " + plan.unmet);
    output_.signals.insert(output_.signals.end(), demand.signals.begin(), demand.signals.end());
    output_.bound.insert(output_.bound.end(), demand.bound.begin(), demand.bound.end());
  }

  void Take(const demand::Target& target, const demand::Demand& demand,
            WorkloadMemory::OfComponent& memory) {
    NodeTarget into{target.node, target.priority, std::string(demand::SignalName(target.signal)),
                    target.why};
    if (target.revision.empty()) {
      memory.nodes.insert(target.node);
      AddTarget(targets_, std::move(into));
      return;
    }
    const auto old = std::ranges::find(demand.old_revisions, target.revision,
                                       &demand::OldRevision::template_hash);
    if (old != demand.old_revisions.end()) AddTarget(old_targets_[TagOf(*old)], std::move(into));
  }

  void AddDesired() {
    for (auto& [volume, paths] : seeded_) {
      Add(volume, input_.models.bento, std::move(paths.paths), targets_);
    }
    // A version before keeps what it has, where its pods run.
    for (const auto& prewarm : input_.existing) {
      for (const auto& [tag, targets] : old_targets_) {
        if (tag == input_.models.bento) continue;
        auto old = Make(prewarm.spec.volume, tag, prewarm.spec.paths, targets);
        if (old.Key() == prewarm.spec.model) output_.desired.push_back(std::move(old));
      }
    }
  }

  void Add(const std::string& volume, const std::string& version, std::vector<std::string> paths,
           const std::vector<NodeTarget>& targets) {
    if (!targets.empty())
      output_.desired.push_back(Make(volume, version, std::move(paths), targets));
  }

  [[nodiscard]] DesiredPrewarm Make(const std::string& volume, const std::string& version,
                                    std::vector<std::string> paths,
                                    const std::vector<NodeTarget>& targets) const {
    const auto& ref = input_.workload.ref;
    DesiredPrewarm desired;
    desired.name_space = ref.name_space;
    desired.workload = {ref.api_version, ref.kind, ref.name, ref.uid};
    desired.volume = volume;
    desired.version = version;
    desired.paths = std::move(paths);
    desired.targets = targets;
    for (const auto& target : targets) {
      desired.priority = std::max(desired.priority, target.priority);
    }
    return desired;
  }

  const WorkloadInput& input_;
  WorkloadMemory& memory_;
  std::map<std::string, bento::VolumePaths> seeded_;
  std::uint64_t bytes_ = 0;
  std::vector<NodeTarget> targets_;
  std::map<std::string, std::vector<NodeTarget>> old_targets_;  // by tag of the version
  WorkloadOutput output_;
};

}  // namespace

WorkloadOutput PlanWorkload(const WorkloadInput& input, WorkloadMemory& memory) {
  return Planner(input, memory).Run();
}

}  // namespace prewarm::controller
