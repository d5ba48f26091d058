#include "controller/demand/constraints_json.h"

#include <algorithm>
#include <utility>

#include "controller/demand/shared_fields.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;

constexpr std::int32_t kMaxWeight = 100;

NodeTerm ReadNodeTerm(const Fields& term) {
  return {ReadRequirements(term, "matchExpressions", true),
          ReadRequirements(term, "matchFields", true)};
}

void ReadAffinity(const Fields& affinity, Constraints& constraints) {
  constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  if (affinity.Has(kRequired)) {
    auto& terms = constraints.required.emplace();
    affinity.Object(kRequired).ForEach(
        "nodeSelectorTerms", [&](const Fields& term) { terms.push_back(ReadNodeTerm(term)); });
  }
  affinity.ForEach("preferredDuringSchedulingIgnoredDuringExecution", [&](const Fields& entry) {
    const auto weight = std::min(entry.Count("weight", 1), kMaxWeight);
    constraints.preferred.push_back({weight, ReadNodeTerm(entry.Object("preference"))});
  });
}

// A pod that names its node goes there and nowhere else.
void ReadNodeName(const Fields& spec, Constraints& constraints) {
  const auto name = spec.Text("nodeName");
  if (name.empty()) return;
  constraints.required.emplace().push_back(
      {{}, {{"metadata.name", Requirement::Operator::kIn, {std::string(name)}}}});
}

void ReadTolerations(const Fields& spec, Constraints& constraints) {
  spec.ForEach("tolerations", [&](const Fields& entry) {
    Toleration toleration;
    toleration.key = entry.Text("key");
    toleration.value = entry.Text("value");
    const auto op = entry.Text("operator");
    toleration.exists = op == "Exists";
    if (!op.empty() && op != "Equal" && op != "Exists") {
      entry.Refuse("operator", "is neither Equal nor Exists");
    }
    if (toleration.key.empty() && !toleration.exists) {
      entry.Refuse("operator", "must be Exists where there is no key");
    }
    if (const auto effect = entry.Text("effect"); !effect.empty()) {
      toleration.effect = EffectNamed(effect);
      if (!toleration.effect) entry.Refuse("effect", "is not the effect of a taint");
    }
    constraints.tolerations.push_back(std::move(toleration));
  });
}

void ReadSpread(const Fields& spec, Constraints& constraints) {
  spec.ForEach("topologySpreadConstraints", [&](const Fields& entry) {
    SpreadConstraint spread;
    spread.topology_key = entry.Text("topologyKey");
    if (spread.topology_key.empty()) entry.Refuse("topologyKey", "is missing");
    spread.max_skew = std::max(entry.Count("maxSkew", 1), 1);
    spread.min_domains = std::max(entry.Count("minDomains", 1), 1);
    spread.required = entry.Text("whenUnsatisfiable") != "ScheduleAnyway";
    spread.selector = ReadLabelSelector(entry.Object("labelSelector"));
    constraints.spread.push_back(std::move(spread));
  });
}

Constraints ReadConstraints(const Fields& spec) {
  Constraints constraints;
  const auto labels = spec.LabelMap("nodeSelector");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    constraints.node_selector.emplace_back(labels.at(i));
  }
  ReadAffinity(spec.Object("affinity").Object("nodeAffinity"), constraints);
  ReadNodeName(spec, constraints);
  ReadTolerations(spec, constraints);
  ReadSpread(spec, constraints);
  constraints.requests = ReadPodRequests(spec);
  return constraints;
}

// Of a part of an object, which cannot say whose it is.
template <class Read>
auto ReadPart(const json::object& object, Read read)
    -> Result<decltype(read(std::declval<const Fields&>()))> {
  std::string problem;
  auto value = read(Fields(object, problem));
  if (!problem.empty()) return Fail(ErrorCode::kInvalidArgument, problem);
  return value;
}

}  // namespace

Result<Constraints> ConstraintsFromJson(const json::object& pod_spec) {
  return ReadPart(pod_spec, ReadConstraints);
}

Result<Resources> RequestsFromJson(const json::object& pod_spec) {
  return ReadPart(pod_spec, ReadPodRequests);
}

Result<LabelSelector> LabelSelectorFromJson(const json::object& selector) {
  return ReadPart(selector, ReadLabelSelector);
}

}  // namespace prewarm::controller::demand
