#include "controller/jobs/prewarm_object.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "common/base/rfc3339.h"
#include "common/base/utf8.h"
#include "controller/jobs/prewarm_conditions.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using kube::ArrayIn;
using kube::ObjectIn;
using kube::TextIn;

struct ProgressField {
  const char* name;
  std::uint64_t TaskProgress::* member;
};
constexpr std::array<ProgressField, 11> kProgressFields{{
    {"plannedBlocks", &TaskProgress::planned_blocks},
    {"plannedBytes", &TaskProgress::planned_bytes},
    {"presentBlocks", &TaskProgress::present_blocks},
    {"presentBytes", &TaskProgress::present_bytes},
    {"fetchedBlocks", &TaskProgress::fetched_blocks},
    {"fetchedBytes", &TaskProgress::fetched_bytes},
    {"failedBlocks", &TaskProgress::failed_blocks},
    {"wireBytes", &TaskProgress::wire_bytes},
    {"requests", &TaskProgress::requests},
    {"retries", &TaskProgress::retries},
    {"bytesPerSecond", &TaskProgress::bytes_per_second},
}};

std::string Text(const json::object& object, std::string_view name) {
  return std::string(TextIn(object, name));
}

std::uint64_t Count(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return 0;
  json::error_code error;
  const auto count = value->to_number<std::uint64_t>(error);
  return error ? 0 : count;
}

bool Flag(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_bool() && value->get_bool();
}

Result<std::optional<WallTime>> Moment(const json::object& object, std::string_view name) {
  const auto text = TextIn(object, name);
  if (text.empty()) return std::optional<WallTime>();
  auto moment = ParseRfc3339(text);
  if (!moment) return Error(std::move(moment).error()).Within(name);
  return std::optional(*moment);
}

std::vector<std::string> Texts(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const auto* list = ArrayIn(object, name);
  if (list == nullptr) return texts;
  texts.reserve(list->size());
  for (const auto& item : *list) {
    if (const auto* text = item.if_string()) texts.emplace_back(text->data(), text->size());
  }
  return texts;
}

NodeSelector ReadNodes(const json::object& nodes) {
  NodeSelector selector;
  selector.names = Texts(nodes, "names");
  if (const auto* labels = ObjectIn(nodes, "labels")) {
    for (const auto& [key, value] : *labels) {
      if (!value.is_string()) continue;
      selector.labels.emplace(std::string(key), std::string(value.get_string()));
    }
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  selector.count = static_cast<std::uint32_t>(std::min(Count(nodes, "count"), kMost));
  return selector;
}

std::vector<NodeTarget> ReadTargets(const json::object& spec) {
  std::vector<NodeTarget> targets;
  const auto* list = ArrayIn(spec, "targets");
  if (list == nullptr) return targets;
  for (const auto& item : *list) {
    const auto* object = item.if_object();
    if (object == nullptr) continue;
    const auto priority = std::min<std::uint64_t>(Count(*object, "priority"), kMaxPriority);
    targets.push_back({Text(*object, "node"), static_cast<int>(priority), Text(*object, "signal"),
                       Text(*object, "why")});
  }
  std::ranges::sort(targets, {}, &NodeTarget::node);
  return targets;
}

Result<PrewarmSpec> ReadSpec(const json::object& object) {
  PrewarmSpec spec;
  spec.volume = Text(object, "volume");
  spec.paths = Texts(object, "paths");
  if (const auto* nodes = ObjectIn(object, "nodes")) spec.nodes = ReadNodes(*nodes);
  spec.priority =
      static_cast<int>(std::min<std::uint64_t>(Count(object, "priority"), kMaxPriority));
  TRY(spec.deadline, Moment(object, "deadline"));
  spec.refuse_if_late = Flag(object, "refuseIfLate");
  spec.keep = Flag(object, "keep");
  spec.model = Text(object, "model");
  if (const auto* workload = ObjectIn(object, "workload")) {
    spec.workload = WorkloadRef{Text(*workload, "apiVersion"), Text(*workload, "kind"),
                                Text(*workload, "name"), Text(*workload, "uid")};
  }
  spec.targets = ReadTargets(object);
  return spec;
}

Result<NodeTask> ReadTask(const json::object& object) {
  NodeTask task;
  task.node = Text(object, "node");
  task.generation = Count(object, "generation");
  const auto state = TaskStateNamed(TextIn(object, "state"));
  if (!state) return Fail(ErrorCode::kCorrupt, "no task is in the state " + Text(object, "state"));
  task.state = *state;
  task.reason = Text(object, "reason");
  task.message = Text(object, "message");
  for (const auto& field : kProgressFields) task.progress.*field.member = Count(object, field.name);
  TRY(task.visible_at, Moment(object, "visibleAt"));
  return task;
}

Status ReadStatus(const json::object& object, PrewarmObject& into) {
  const auto state = PrewarmStateNamed(TextIn(object, "state"));
  if (!state) return {};  // other controllers of the cluster may have written conditions
  auto& prewarm = into.prewarm;
  into.accepted = true;
  into.epoch = Count(object, "epoch");
  prewarm.state = *state;
  prewarm.age = Count(object, "age");
  prewarm.reason = Text(object, "reason");
  prewarm.message = Text(object, "message");
  TRY(const auto created, Moment(object, "createdAt"));
  if (created) prewarm.created_at = *created;
  TRY(prewarm.ended_at, Moment(object, "endedAt"));
  if (const auto by = Text(object, "supersededBy"); !by.empty()) {
    prewarm.superseded_by = PrewarmId(prewarm.name_space, by);
  }
  prewarm.generation = Count(object, "generation");
  const auto hash = TextIn(object, "planHash");
  std::from_chars(hash.data(), hash.data() + hash.size(), prewarm.plan_hash);
  prewarm.files = Count(object, "files");
  if (const auto* tasks = ArrayIn(object, "tasks")) {
    for (const auto& item : *tasks) {
      if (!item.is_object()) continue;
      TRY(auto task, ReadTask(item.get_object()));
      prewarm.tasks.emplace(task.node, std::move(task));
    }
  }
  return {};
}

Status ReadInto(const json::object& object, PrewarmObject& into) {
  if (const auto* spec = ObjectIn(object, "spec")) {
    TRY(into.prewarm.spec, ReadSpec(*spec));
    into.prewarm.idempotency_key = Text(*spec, "idempotencyKey");
  }
  if (const auto* status = ObjectIn(object, "status")) {
    TRY_STATUS(ReadStatus(*status, into));
    into.conditions = kube::ReadConditions(*status);
  }
  return {};
}

// As long as the definition allows. What nodes say may be about files, whose names are bytes.
constexpr std::size_t kLongestReason = 128;
constexpr std::size_t kLongestWhy = 4096;
constexpr std::size_t kLongestTaskMessage = 8192;
constexpr std::size_t kLongestMessage = 32'768;

// Absent and empty are the same to us, and shorter.
void PutText(json::object& object, const char* name, const std::string& text,
             std::size_t longest = kLongestMessage) {
  if (!text.empty()) object[name] = ToUtf8(text, longest);
}

json::array ToArray(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

// The API's integers have a sign.
std::int64_t Stored(std::uint64_t count) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(count, kMost));
}

json::object TaskObject(const NodeTask& task) {
  json::object object{{"node", task.node},
                      {"generation", Stored(task.generation)},
                      {"state", StateName(task.state)}};
  PutText(object, "reason", task.reason, kLongestReason);
  PutText(object, "message", task.message, kLongestTaskMessage);
  for (const auto& field : kProgressFields) {
    if (const auto count = task.progress.*field.member; count != 0) {
      object[field.name] = Stored(count);
    }
  }
  if (task.visible_at) object["visibleAt"] = FormatRfc3339(*task.visible_at);
  return object;
}

}  // namespace

std::string PrewarmId(std::string_view name_space, std::string_view name) {
  std::string id(name_space);
  id += '.';
  id += name;
  return id;
}

Result<std::string> ObjectNameOf(std::string_view id, std::string_view name_space) {
  if (id.size() < name_space.size() + 2 || !id.starts_with(name_space) ||
      id[name_space.size()] != '.') {
    return Fail(ErrorCode::kInvalidArgument,
                "prewarm " + std::string(id) + " is not of namespace " + std::string(name_space));
  }
  return std::string(id.substr(name_space.size() + 1));
}

std::string KeyHash(std::string_view idempotency_key) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  for (const char c : idempotency_key) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), hash, 16).ptr;
  return {text.data(), end};
}

Result<PrewarmObject> ReadPrewarmObject(const json::object& object) {
  PrewarmObject read;
  const auto* metadata = ObjectIn(object, "metadata");
  if (metadata == nullptr || TextIn(*metadata, "name").empty()) {
    return Fail(ErrorCode::kCorrupt, "a Prewarm without a name");
  }
  auto& prewarm = read.prewarm;
  prewarm.name_space = Text(*metadata, "namespace");
  prewarm.id = PrewarmId(prewarm.name_space, TextIn(*metadata, "name"));
  read.resource_version = Text(*metadata, "resourceVersion");
  read.uid = Text(*metadata, "uid");
  read.generation = Count(*metadata, "generation");
  if (const auto* labels = ObjectIn(*metadata, "labels")) {
    read.made_by_us = TextIn(*labels, kMadeByLabel) == kMadeByUs;
  }
  if (auto created = Moment(*metadata, "creationTimestamp"); created && *created) {
    prewarm.created_at = **created;
  }
  if (const auto status = ReadInto(object, read); !status) {
    return Fail(ErrorCode::kCorrupt, "Prewarm " + prewarm.id + ": " + status.error().message);
  }
  return read;
}

json::object PrewarmSpecObject(const Prewarm& prewarm) {
  const auto& spec = prewarm.spec;
  json::object labels;
  for (const auto& [name, value] : spec.nodes.labels) labels[name] = value;
  json::object object{{"volume", spec.volume},
                      {"paths", ToArray(spec.paths)},
                      {"nodes",
                       {{"names", ToArray(spec.nodes.names)},
                        {"labels", std::move(labels)},
                        {"count", spec.nodes.count}}},
                      {"priority", spec.priority},
                      {"refuseIfLate", spec.refuse_if_late},
                      {"keep", spec.keep}};
  if (spec.deadline) object["deadline"] = FormatRfc3339(*spec.deadline);
  PutText(object, "model", spec.model);
  PutText(object, "idempotencyKey", prewarm.idempotency_key);
  if (spec.workload) {
    object["workload"] = {{"apiVersion", spec.workload->api_version},
                          {"kind", spec.workload->kind},
                          {"name", spec.workload->name},
                          {"uid", spec.workload->uid}};
    json::array targets;
    for (const auto& target : spec.targets) {
      targets.push_back({{"node", target.node},
                         {"priority", target.priority},
                         {"signal", target.signal},
                         {"why", ToUtf8(target.why, kLongestWhy)}});
    }
    object["targets"] = std::move(targets);
  }
  return object;
}

Result<json::object> NewPrewarmObject(const Prewarm& prewarm) {
  TRY(const auto name, ObjectNameOf(prewarm.id, prewarm.name_space));
  json::object metadata{{"name", name}, {"namespace", prewarm.name_space}};
  json::object labels;
  if (const auto& workload = prewarm.spec.workload) {
    // Goes with its workload, by the cluster's own garbage collection.
    metadata["ownerReferences"] = json::array{{{"apiVersion", workload->api_version},
                                               {"kind", workload->kind},
                                               {"name", workload->name},
                                               {"uid", workload->uid}}};
    labels[kMadeByLabel] = kMadeByUs;
  }
  if (!prewarm.idempotency_key.empty()) labels[kKeyLabel] = KeyHash(prewarm.idempotency_key);
  if (!labels.empty()) metadata["labels"] = std::move(labels);
  json::object object{{"apiVersion", std::string(kPrewarmGroup) + "/" + kPrewarmVersion},
                      {"kind", "Prewarm"},
                      {"metadata", std::move(metadata)},
                      {"spec", PrewarmSpecObject(prewarm)}};
  // The API server would replace what is not UTF-8, and the prewarm would mean other files.
  json::error_code error;
  static_cast<void>(json::parse(json::serialize(object), error));
  if (error) {
    return Fail(ErrorCode::kInvalidArgument,
                "prewarm " + prewarm.id +
                    ": a path or label is not UTF-8, which an object of the "
                    "Kubernetes API cannot hold: name a directory above it");
  }
  return object;
}

json::object PrewarmStatusObject(const Prewarm& prewarm, const StatusContext& context) {
  auto conditions = PrewarmConditions(prewarm);
  kube::Follow(context.before, conditions, context.observed_generation, context.now);
  json::array tasks;
  std::size_t visible = 0;
  std::uint64_t bytes = 0;
  for (const auto& [node, task] : prewarm.tasks) {
    tasks.emplace_back(TaskObject(task));
    if (task.state == TaskState::kVisible) ++visible;
    bytes = std::max(bytes, task.progress.planned_bytes);
  }
  const auto text = [](const std::string& value, std::size_t longest) {
    return value.empty() ? json::value() : json::value(ToUtf8(value, longest));
  };
  json::object object{{"state", StateName(prewarm.state)},
                      {"reason", text(prewarm.reason, kLongestReason)},
                      {"message", text(prewarm.message, kLongestMessage)},
                      {"age", Stored(prewarm.age)},
                      {"epoch", Stored(context.epoch)},
                      {"observedGeneration", Stored(context.observed_generation)},
                      {"generation", Stored(prewarm.generation)},
                      {"planHash", std::to_string(prewarm.plan_hash)},
                      {"files", Stored(prewarm.files)},
                      {"bytes", Stored(bytes)},
                      {"createdAt", FormatRfc3339(prewarm.created_at)},
                      {"endedAt", nullptr},
                      {"supersededBy", nullptr},
                      {"nodesVisible", visible},
                      {"nodesTotal", prewarm.tasks.size()},
                      {"progress", PrewarmProgressObject(prewarm)},
                      {"conditions", kube::ToJson(conditions)},
                      {"tasks", std::move(tasks)}};
  if (prewarm.ended_at) object["endedAt"] = FormatRfc3339(*prewarm.ended_at);
  if (const auto by = ObjectNameOf(prewarm.superseded_by, prewarm.name_space)) {
    object["supersededBy"] = *by;
  }
  return object;
}

}  // namespace prewarm::controller
