// Nodes, and Karpenter's promises of nodes, from JSON.
#include <map>

#include "controller/demand/node_marks.h"
#include "controller/demand/objects_json.h"
#include "controller/demand/shared_fields.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;

// A node has many annotations, and some are long.
Labels OnlyExpected(const Labels& annotations) {
  std::vector<std::pair<std::string_view, std::string_view>> ours;
  for (std::size_t i = 0; i < annotations.size(); ++i) {
    const auto key = annotations.at(i).first;
    const bool is_ours = key.starts_with(kExpectedPrefix) || key.starts_with(kSecondsPrefix);
    if (is_ours) ours.push_back(annotations.at(i));
  }
  return Labels(std::move(ours));
}

Node ReadNode(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  const auto status = object.Object("status");
  Node node;
  node.name = metadata.Text("name");
  if (node.name.empty()) metadata.Refuse("name", "is missing");
  node.uid = metadata.Text("uid");
  node.boot_id = status.Object("nodeInfo").Text("bootID");
  node.labels = metadata.LabelMap("labels");
  node.expected = OnlyExpected(metadata.LabelMap("annotations"));
  node.taints = ReadTaints(spec, "taints");
  node.unschedulable = spec.Flag("unschedulable");
  node.allocatable = ReadResources(status, "allocatable");
  node.ready = ConditionOf(status, "Ready");
  node.disk_pressure = ConditionOf(status, "DiskPressure") == Truth::kTrue;
  node.deleting = metadata.Has("deletionTimestamp");
  node.created_at = metadata.Time("creationTimestamp");
  return node;
}

// The labels of the node to come: its own, and those that its requirements leave one value for.
Labels ClaimLabels(const Labels& own, const std::vector<Requirement>& requirements) {
  std::map<std::string_view, std::string_view> labels;
  for (const auto& requirement : requirements) {
    if (requirement.op == Requirement::Operator::kIn && requirement.values.size() == 1) {
      labels[requirement.key] = requirement.values.front();
    }
  }
  for (std::size_t i = 0; i < own.size(); ++i) labels[own.at(i).first] = own.at(i).second;
  return Labels(
      std::vector<std::pair<std::string_view, std::string_view>>(labels.begin(), labels.end()));
}

NodeClaim ReadNodeClaim(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  const auto status = object.Object("status");
  NodeClaim claim;
  claim.name = metadata.Text("name");
  if (claim.name.empty()) metadata.Refuse("name", "is missing");
  claim.node = status.Text("nodeName");
  claim.requirements = ReadRequirements(spec, "requirements", true);
  claim.labels = ClaimLabels(metadata.LabelMap("labels"), claim.requirements);
  claim.pool = claim.labels.Find("karpenter.sh/nodepool").value_or("");
  claim.taints = ReadTaints(spec, "taints");
  claim.startup_taints = ReadTaints(spec, "startupTaints");
  claim.allocatable = ReadResources(status, "allocatable");
  claim.launched = ConditionOf(status, "Launched") == Truth::kTrue;
  claim.registered = ConditionOf(status, "Registered") == Truth::kTrue;
  claim.initialized = ConditionOf(status, "Initialized") == Truth::kTrue;
  claim.deleting = metadata.Has("deletionTimestamp");
  claim.created_at = metadata.Time("creationTimestamp");
  return claim;
}

}  // namespace

Result<Node> NodeFromJson(const json::object& object) {
  return ReadObject("node", object, ReadNode);
}

Result<NodeClaim> NodeClaimFromJson(const json::object& object) {
  return ReadObject("nodeclaim", object, ReadNodeClaim);
}

}  // namespace prewarm::controller::demand
