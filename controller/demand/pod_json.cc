// Pods, and the cluster autoscaler's events about them, from JSON.
#include <charconv>

#include "controller/demand/objects_json.h"
#include "controller/demand/shared_fields.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;

PodPhase PhaseNamed(std::string_view name) {
  if (name.empty() || name == "Pending") return PodPhase::kPending;
  if (name == "Running") return PodPhase::kRunning;
  if (name == "Succeeded") return PodPhase::kSucceeded;
  if (name == "Failed") return PodPhase::kFailed;
  return PodPhase::kUnknown;
}

void ReadScheduling(const Fields& status, Pod& pod) {
  status.ForEach("conditions", [&](const Fields& condition) {
    if (condition.Text("type") != "PodScheduled") return;
    const auto since = condition.Time("lastTransitionTime");
    if (condition.Text("status") == "True") {
      pod.bound_at = since;
    } else {
      pod.unschedulable = condition.Text("reason") == "Unschedulable";
      pod.gated = condition.Text("reason") == "SchedulingGated";
    }
  });
}

// The container that serves: "main", as Bento's pods have it, or the first of the specification.
std::string_view ServingContainer(const Fields& spec) {
  std::string_view serving;
  spec.ForEach("containers", [&](const Fields& container) {
    const auto name = container.Text("name");
    if (serving.empty() || name == "main") serving = name;
  });
  return serving;
}

std::optional<WallTime> StartOf(const Fields& status, std::string_view container) {
  std::optional<WallTime> started;
  status.ForEach("containerStatuses", [&](const Fields& entry) {
    if (entry.Text("name") != container) return;
    started = entry.Object("state").Object("running").Time("startedAt");
  });
  return started;
}

Pod ReadPod(const Fields& object) {
  const auto metadata = object.Object("metadata");
  const auto spec = object.Object("spec");
  const auto status = object.Object("status");
  Pod pod;
  pod.name_space = metadata.Text("namespace");
  pod.name = metadata.Text("name");
  if (pod.name.empty()) metadata.Refuse("name", "is missing");
  pod.uid = metadata.Text("uid");
  pod.labels = metadata.LabelMap("labels");
  pod.owner_uid = ReadController(metadata).uid;
  pod.node = spec.Text("nodeName");
  pod.phase = PhaseNamed(status.Text("phase"));
  ReadScheduling(status, pod);
  pod.deleting = metadata.Has("deletionTimestamp");
  pod.requests = ReadPodRequests(spec);
  pod.created_at = metadata.Time("creationTimestamp");
  pod.started_at = StartOf(status, ServingContainer(spec));
  return pod;
}

std::optional<std::int32_t> NumberAt(std::string_view& text) {
  std::int32_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return number;
}

// "{name 0->1 (max: 3)}", without the braces; nothing if it reads otherwise.
std::optional<ScaleUp::Group> GroupFromWords(std::string_view words) {
  ScaleUp::Group group;
  const auto space = words.find(' ');
  if (space == 0 || space == std::string_view::npos) return std::nullopt;
  group.name = words.substr(0, space);
  // A cloud names the group by its URL.
  group.name.erase(0, group.name.rfind('/') + 1);
  words.remove_prefix(space + 1);
  const auto from = NumberAt(words);
  if (!from || !words.starts_with("->")) return std::nullopt;
  words.remove_prefix(2);
  const auto to = NumberAt(words);
  if (!to) return std::nullopt;
  group.from = *from;
  group.to = *to;
  return group;
}

// "pod triggered scale-up: [{a 0->1 (max: 3)} {b 1->2 (max: 3)}]". The wording is not a contract: a
// group that cannot be read is left out, and the event counts without it.
std::vector<ScaleUp::Group> GroupsFromWords(std::string_view words) {
  constexpr std::size_t kMaxGroups = 64;
  std::vector<ScaleUp::Group> groups;
  while (groups.size() < kMaxGroups) {
    const auto open = words.find('{');
    if (open == std::string_view::npos) break;
    const auto close = words.find('}', open);
    if (close == std::string_view::npos) break;
    if (auto group = GroupFromWords(words.substr(open + 1, close - open - 1))) {
      groups.push_back(*std::move(group));
    }
    words.remove_prefix(close + 1);
  }
  return groups;
}

std::optional<ScaleUp> ReadScaleUp(const Fields& object) {
  if (object.Text("reason") != "TriggeredScaleUp") return std::nullopt;
  const auto about = object.Object(object.Has("regarding") ? "regarding" : "involvedObject");
  if (about.Text("kind") != "Pod") return std::nullopt;
  ScaleUp event;
  event.pod_namespace = about.Text("namespace");
  event.pod = about.Text("name");
  event.pod_uid = about.Text("uid");
  event.groups = GroupsFromWords(object.Text(object.Has("note") ? "note" : "message"));
  for (const auto* name : {"eventTime", "lastTimestamp", "deprecatedLastTimestamp"}) {
    if (!event.at) event.at = object.Time(name);
  }
  return event;
}

}  // namespace

Result<Pod> PodFromJson(const json::object& object) { return ReadObject("pod", object, ReadPod); }

Result<std::optional<ScaleUp>> ScaleUpFromJson(const json::object& object) {
  return ReadObject("event", object, ReadScaleUp);
}

}  // namespace prewarm::controller::demand
