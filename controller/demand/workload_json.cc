// Deployments, ReplicaSets and autoscalers from JSON.
#include <charconv>
#include <map>

#include "controller/demand/objects_json.h"
#include "controller/demand/shared_fields.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;

Deployment ReadDeployment(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  const auto status = object.Object("status");
  Deployment deployment;
  deployment.name_space = metadata.Text("namespace");
  deployment.name = metadata.Text("name");
  if (deployment.name.empty()) metadata.Refuse("name", "is missing");
  deployment.uid = metadata.Text("uid");
  deployment.labels = metadata.LabelMap("labels");
  deployment.owner = ReadController(metadata);
  deployment.replicas = spec.Count("replicas", 1);
  deployment.ready_replicas = status.Count("readyReplicas", 0);
  deployment.selector = ReadLabelSelector(spec.Object("selector"));
  deployment.generation = metadata.Integer("generation").value_or(0);
  deployment.observed_generation = status.Integer("observedGeneration").value_or(0);
  deployment.deleting = metadata.Has("deletionTimestamp");
  deployment.created_at = metadata.Time("creationTimestamp");
  return deployment;
}

std::int64_t RevisionOf(const Fields& metadata) {
  const auto text = metadata.Object("annotations").Text("deployment.kubernetes.io/revision");
  std::int64_t revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

ReplicaSet ReadReplicaSet(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  ReplicaSet set;
  set.name_space = metadata.Text("namespace");
  set.name = metadata.Text("name");
  if (set.name.empty()) metadata.Refuse("name", "is missing");
  set.uid = metadata.Text("uid");
  set.owner_uid = ReadController(metadata).uid;
  set.labels = spec.Object("template").Object("metadata").LabelMap("labels");
  set.template_hash = metadata.Object("labels").Text("pod-template-hash");
  set.revision = RevisionOf(metadata);
  set.replicas = spec.Count("replicas", 1);
  set.current_replicas = object.Object("status").Count("replicas", 0);
  set.created_at = metadata.Time("creationTimestamp");
  return set;
}

// The part of a metric that its type names: {"type": "Pods", "pods": {…}}.
std::string_view PartOf(std::string_view type) {
  if (type == "Resource") return "resource";
  if (type == "ContainerResource") return "containerResource";
  if (type == "Pods") return "pods";
  if (type == "Object") return "object";
  if (type == "External") return "external";
  return {};
}

// What tells a metric from the others of the same autoscaler, the same in spec and status.
std::string IdentityOf(std::string_view type, const Fields& part) {
  const auto metric = part.Object("metric");
  const auto name = part.Has("name") ? part.Text("name") : metric.Text("name");
  std::string identity(type);
  for (const auto text :
       {part.Text("container"), name, part.Object("describedObject").Text("name")}) {
    identity += "/" + std::string(text);
  }
  const auto labels = metric.Object("selector").LabelMap("matchLabels");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    identity += "/" + std::string(labels.at(i).first) + "=" + std::string(labels.at(i).second);
  }
  return identity;
}

// The same field counts in target and current; nothing where it is missing.
std::optional<double> ValueOf(const Fields& numbers, std::string_view field) {
  if (field == "averageUtilization") return numbers.Number(field);
  const auto amount = numbers.Amount(field);
  return amount ? std::optional(amount->ToDouble()) : std::nullopt;
}

std::string_view TargetField(const Fields& target) {
  for (const std::string_view field : {"averageUtilization", "averageValue", "value"}) {
    if (target.Has(field)) return field;
  }
  return {};
}

struct MetricTarget {
  std::string name;
  std::string field;
  double value = 0;
};

std::map<std::string, MetricTarget> ReadMetricTargets(const Fields& spec) {
  std::map<std::string, MetricTarget> targets;
  spec.ForEach("metrics", [&](const Fields& metric) {
    const auto type = metric.Text("type");
    if (PartOf(type).empty()) return;  // a type of a newer version
    const auto part = metric.Object(PartOf(type));
    const auto target = part.Object("target");
    const auto field = TargetField(target);
    const auto value = field.empty() ? std::nullopt : ValueOf(target, field);
    if (!value || *value <= 0) return;
    const auto name = part.Has("name") ? part.Text("name") : part.Object("metric").Text("name");
    targets[IdentityOf(type, part)] = {std::string(name), std::string(field), *value};
  });
  return targets;
}

std::vector<HpaMetric> ReadMetrics(const Fields& spec, const Fields& status) {
  const auto targets = ReadMetricTargets(spec);
  std::vector<HpaMetric> metrics;
  status.ForEach("currentMetrics", [&](const Fields& metric) {
    const auto type = metric.Text("type");
    if (PartOf(type).empty()) return;  // also what has not been measured yet
    const auto part = metric.Object(PartOf(type));
    const auto target = targets.find(IdentityOf(type, part));
    if (target == targets.end()) return;
    const auto current = ValueOf(part.Object("current"), target->second.field);
    if (current && *current >= 0) {
      metrics.push_back({target->second.name, *current, target->second.value});
    }
  });
  return metrics;
}

Hpa ReadHpa(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  const auto status = object.Object("status");
  const auto target = spec.Object("scaleTargetRef");
  Hpa hpa;
  hpa.name_space = metadata.Text("namespace");
  hpa.name = metadata.Text("name");
  if (hpa.name.empty()) metadata.Refuse("name", "is missing");
  hpa.target_kind = target.Text("kind");
  hpa.target_name = target.Text("name");
  hpa.min_replicas = spec.Count("minReplicas", 1);
  hpa.max_replicas = spec.Count("maxReplicas", 0);
  hpa.current_replicas = status.Count("currentReplicas", 0);
  hpa.desired_replicas = status.Count("desiredReplicas", 0);
  hpa.metrics = ReadMetrics(spec, status);
  hpa.scaled_at = status.Time("lastScaleTime");
  return hpa;
}

}  // namespace

Result<Deployment> DeploymentFromJson(const json::object& object) {
  return ReadObject("deployment", object, ReadDeployment);
}

Result<ReplicaSet> ReplicaSetFromJson(const json::object& object) {
  return ReadObject("replicaset", object, ReadReplicaSet);
}

Result<Hpa> HpaFromJson(const json::object& object) {
  return ReadObject("horizontalpodautoscaler", object, ReadHpa);
}

}  // namespace prewarm::controller::demand
