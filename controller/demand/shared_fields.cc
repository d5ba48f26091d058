#include "controller/demand/shared_fields.h"

#include <utility>

namespace prewarm::controller::demand {
namespace {

bool NeedsValues(Requirement::Operator op) {
  return op == Requirement::Operator::kIn || op == Requirement::Operator::kNotIn;
}

bool Compares(Requirement::Operator op) {
  return op == Requirement::Operator::kGt || op == Requirement::Operator::kLt;
}

// A container's requests; what it limits without requesting, it requests.
Resources ReadContainer(const Fields& container) {
  const auto resources = container.Object("resources");
  Resources requests = ReadResources(resources, "limits");
  resources.ForEachAmount("requests", [&](std::string_view name, const Quantity& amount) {
    requests.Set(name, amount);
  });
  return requests;
}

}  // namespace

std::vector<Requirement> ReadRequirements(const Fields& holder, std::string_view name,
                                          bool numbers) {
  std::vector<Requirement> requirements;
  holder.ForEach(name, [&](const Fields& entry) {
    Requirement requirement;
    requirement.key = entry.Text("key");
    requirement.values = entry.Texts("values");
    const auto op = OperatorNamed(entry.Text("operator"));
    if (requirement.key.empty()) entry.Refuse("key", "is missing");
    if (!op || (Compares(*op) && !numbers)) {
      entry.Refuse("operator", "is not an operator that may stand here");
      return;
    }
    requirement.op = *op;
    if (NeedsValues(*op) && requirement.values.empty()) entry.Refuse("values", "is empty");
    requirements.push_back(std::move(requirement));
  });
  return requirements;
}

LabelSelector ReadLabelSelector(const Fields& selector) {
  LabelSelector result;
  const auto labels = selector.LabelMap("matchLabels");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto [key, value] = labels.at(i);
    result.requirements.push_back(
        {std::string(key), Requirement::Operator::kIn, {std::string(value)}});
  }
  for (auto& requirement : ReadRequirements(selector, "matchExpressions", false)) {
    result.requirements.push_back(std::move(requirement));
  }
  return result;
}

std::optional<Taint::Effect> EffectNamed(std::string_view name) {
  if (name == "NoSchedule") return Taint::Effect::kNoSchedule;
  if (name == "PreferNoSchedule") return Taint::Effect::kPreferNoSchedule;
  if (name == "NoExecute") return Taint::Effect::kNoExecute;
  return std::nullopt;
}

std::vector<Taint> ReadTaints(const Fields& holder, std::string_view name) {
  std::vector<Taint> taints;
  holder.ForEach(name, [&](const Fields& entry) {
    const auto effect = EffectNamed(entry.Text("effect"));
    if (!effect) {
      entry.Refuse("effect", "is not the effect of a taint");
      return;
    }
    taints.push_back({std::string(entry.Text("key")), std::string(entry.Text("value")), *effect});
  });
  return taints;
}

Resources ReadResources(const Fields& holder, std::string_view name) {
  Resources resources;
  holder.ForEachAmount(name, [&](std::string_view resource, const Quantity& amount) {
    resources.Set(resource, amount);
  });
  return resources;
}

Truth ConditionOf(const Fields& status, std::string_view type) {
  Truth truth = Truth::kUnknown;
  status.ForEach("conditions", [&](const Fields& condition) {
    if (condition.Text("type") != type) return;
    const auto word = condition.Text("status");
    truth = word == "True" ? Truth::kTrue : word == "False" ? Truth::kFalse : Truth::kUnknown;
  });
  return truth;
}

Owner ReadController(const Fields& metadata) {
  Owner owner;
  metadata.ForEach("ownerReferences", [&](const Fields& reference) {
    if (!reference.Flag("controller")) return;
    owner = {std::string(reference.Text("kind")), std::string(reference.Text("name")),
             std::string(reference.Text("uid"))};
  });
  return owner;
}

Resources ReadPodRequests(const Fields& pod_spec) {
  Resources running;  // containers and sidecars
  pod_spec.ForEach("containers",
                   [&](const Fields& container) { running.Add(ReadContainer(container)); });
  Resources sidecars;
  Resources starting;  // the most that an init container needs
  pod_spec.ForEach("initContainers", [&](const Fields& container) {
    auto needs = ReadContainer(container);
    if (container.Text("restartPolicy") == "Always") {
      sidecars.Add(needs);
      starting.RaiseTo(sidecars);
    } else {
      needs.Add(sidecars);
      starting.RaiseTo(needs);
    }
  });
  running.Add(sidecars);
  running.RaiseTo(starting);
  running.Add(ReadResources(pod_spec, "overhead"));
  return running;
}

}  // namespace prewarm::controller::demand
