#include "controller/demand/policy_json.h"

#include <utility>

#include "common/base/units.h"
#include "controller/demand/shared_fields.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;

constexpr std::int32_t kMaxPriority = 1000;
constexpr double kMaxRatio = 10;

// "30m"; the field keeps its default where it is absent.
void ReadDuration(const Fields& holder, std::string_view name, std::chrono::nanoseconds& into) {
  const auto text = holder.ShortText(name);
  if (text.empty()) return;
  const auto duration = ParseDuration(text);
  if (!duration) {
    holder.Refuse(name, "is wrong: " + duration.error().message);
  } else if (*duration < std::chrono::nanoseconds(0)) {
    holder.Refuse(name, "is negative");
  } else {
    into = *duration;
  }
}

Triggers ReadTriggers(const Fields& spec) {
  Triggers triggers;
  triggers.on_seeded = spec.Flag("onSeeded", triggers.on_seeded);
  triggers.on_deployment_change = spec.Flag("onDeploymentChange", triggers.on_deployment_change);
  triggers.on_pending_pod = spec.Flag("onPendingPod", triggers.on_pending_pod);
  triggers.on_node_join = spec.Flag("onNodeJoin", triggers.on_node_join);
  const auto forecast = spec.Object("onForecast");
  triggers.on_forecast = forecast.Flag("enabled", triggers.on_forecast);
  triggers.forecast_extra_replicas =
      forecast.Count("extraReplicas", triggers.forecast_extra_replicas);
  // A number, or one in quotes, as API conventions have fractions.
  if (const auto ratio = forecast.Amount("ratio")) {
    triggers.forecast_ratio = ratio->ToDouble();
    if (triggers.forecast_ratio <= 0 || triggers.forecast_ratio > kMaxRatio) {
      forecast.Refuse("ratio", "is not between 0 and 10");
    }
  }
  return triggers;
}

void ReadTarget(const Fields& target, Policy& policy) {
  const auto labels = target.LabelMap("nodeSelector");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto [key, value] = labels.at(i);
    policy.node_selector.emplace(key, value);
  }
  policy.max_nodes = target.Count("maxNodes", policy.max_nodes);
}

void ReadGate(const Fields& gate, Policy& policy) {
  const auto mode = gate.Text("mode");
  if (mode == "StartupTaint") {
    policy.gate = Policy::Gate::kStartupTaint;
  } else if (!mode.empty() && mode != "None") {
    gate.Refuse("mode", "is neither None nor StartupTaint");
  }
  ReadDuration(gate, "timeout", policy.gate_timeout);
}

Policy ReadPolicy(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  Policy policy;
  policy.name_space = metadata.Text("namespace");
  policy.name = metadata.Text("name");
  if (policy.name.empty()) metadata.Refuse("name", "is missing");
  policy.selector = ReadLabelSelector(spec.Object("selector"));
  policy.suspend = spec.Flag("suspend");
  policy.priority = spec.Count("priority", policy.priority);
  if (policy.priority > kMaxPriority) spec.Refuse("priority", "is above 1000");
  policy.triggers = ReadTriggers(spec.Object("triggers"));
  ReadTarget(spec.Object("target"), policy);
  const auto keep = spec.Object("keepWarm");
  policy.keep_nodes = keep.Count("minNodes", policy.keep_nodes);
  ReadDuration(keep, "afterScaleDown", policy.keep_after_scale_down);
  ReadGate(spec.Object("gate"), policy);
  const auto files = spec.Object("files");
  policy.include = files.Texts("include");
  policy.exclude = files.Texts("exclude");
  return policy;
}

}  // namespace

Result<Policy> PolicyFromJson(const json::object& object) {
  return ReadObject("prewarmpolicy", object, ReadPolicy);
}

}  // namespace prewarm::controller::demand
