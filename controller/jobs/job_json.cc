#include "controller/jobs/job_json.h"

#include <array>
#include <boost/json.hpp>
#include <utility>

namespace prewarm::controller {
namespace {

namespace json = boost::json;

struct ProgressField {
  const char* name;
  std::uint64_t TaskProgress::* member;
};
constexpr std::array<ProgressField, 11> kProgressFields{{
    {"planned_blocks", &TaskProgress::planned_blocks},
    {"planned_bytes", &TaskProgress::planned_bytes},
    {"present_blocks", &TaskProgress::present_blocks},
    {"present_bytes", &TaskProgress::present_bytes},
    {"fetched_blocks", &TaskProgress::fetched_blocks},
    {"fetched_bytes", &TaskProgress::fetched_bytes},
    {"failed_blocks", &TaskProgress::failed_blocks},
    {"wire_bytes", &TaskProgress::wire_bytes},
    {"requests", &TaskProgress::requests},
    {"retries", &TaskProgress::retries},
    {"bytes_per_second", &TaskProgress::bytes_per_second},
}};

Result<json::object> ParseObject(std::string_view text) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  json::error_code error;
  auto value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return Fail(ErrorCode::kCorrupt, "not JSON: " + error.message());
  if (!value.is_object()) return Fail(ErrorCode::kCorrupt, "not a JSON object");
  return std::move(value.get_object());
}

Error WrongType(std::string_view name) {
  return Fail(ErrorCode::kCorrupt, "\"" + std::string(name) + "\" has a value of the wrong type");
}

template <class Int>
Status ReadNumber(const json::object& object, std::string_view name, Int& into) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  json::error_code error;
  const auto number = value->to_number<Int>(error);
  if (error) return WrongType(name);
  into = number;
  return {};
}

Status ReadFlag(const json::object& object, std::string_view name, bool& into) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  if (!value->is_bool()) return WrongType(name);
  into = value->get_bool();
  return {};
}

Status ReadText(const json::object& object, std::string_view name, std::string& into) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  if (!value->is_string()) return WrongType(name);
  into.assign(value->get_string().data(), value->get_string().size());
  return {};
}

Status ReadTexts(const json::object& object, std::string_view name,
                 std::vector<std::string>& into) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  if (!value->is_array()) return WrongType(name);
  for (const auto& item : value->get_array()) {
    if (!item.is_string()) return WrongType(name);
    into.emplace_back(item.get_string().data(), item.get_string().size());
  }
  return {};
}

Status ReadLabels(const json::object& object, std::string_view name,
                  std::map<std::string, std::string>& into) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  if (!value->is_object()) return WrongType(name);
  for (const auto& [key, text] : value->get_object()) {
    if (!text.is_string()) return WrongType(name);
    into[std::string(key.data(), key.size())] =
        std::string(text.get_string().data(), text.get_string().size());
  }
  return {};
}

Status ReadWorkload(const json::object& object, PrewarmSpec& spec) {
  const auto* value = object.if_contains("workload");
  if (value == nullptr) return {};
  if (!value->is_object()) return WrongType("workload");
  auto& workload = spec.workload.emplace();
  TRY_STATUS(ReadText(value->get_object(), "api_version", workload.api_version));
  TRY_STATUS(ReadText(value->get_object(), "kind", workload.kind));
  TRY_STATUS(ReadText(value->get_object(), "name", workload.name));
  return ReadText(value->get_object(), "uid", workload.uid);
}

Status ReadTargets(const json::object& object, PrewarmSpec& spec) {
  const auto* value = object.if_contains("targets");
  if (value == nullptr) return {};
  if (!value->is_array()) return WrongType("targets");
  for (const auto& item : value->get_array()) {
    if (!item.is_object()) return WrongType("targets");
    auto& target = spec.targets.emplace_back();
    TRY_STATUS(ReadText(item.get_object(), "node", target.node));
    TRY_STATUS(ReadNumber(item.get_object(), "priority", target.priority));
    TRY_STATUS(ReadText(item.get_object(), "signal", target.signal));
    TRY_STATUS(ReadText(item.get_object(), "why", target.why));
  }
  return {};
}

json::array ToArray(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

}  // namespace

std::int64_t ToNanoseconds(WallTime moment) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(moment.time_since_epoch()).count();
}

WallTime FromNanoseconds(std::int64_t nanoseconds) {
  return WallTime(
      std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(nanoseconds)));
}

std::string SpecToJson(const PrewarmSpec& spec) {
  json::object labels;
  for (const auto& [name, value] : spec.nodes.labels) labels[name] = value;
  json::object object{{"volume", spec.volume},
                      {"paths", ToArray(spec.paths)},
                      {"node_names", ToArray(spec.nodes.names)},
                      {"node_labels", std::move(labels)},
                      {"node_count", spec.nodes.count},
                      {"priority", spec.priority},
                      {"refuse_if_late", spec.refuse_if_late},
                      {"keep", spec.keep},
                      {"model", spec.model}};
  if (spec.deadline) object["deadline"] = ToNanoseconds(*spec.deadline);
  if (spec.workload) {
    object["workload"] = {{"api_version", spec.workload->api_version},
                          {"kind", spec.workload->kind},
                          {"name", spec.workload->name},
                          {"uid", spec.workload->uid}};
  }
  json::array targets;
  for (const auto& target : spec.targets) {
    targets.push_back({{"node", target.node},
                       {"priority", target.priority},
                       {"signal", target.signal},
                       {"why", target.why}});
  }
  if (!targets.empty()) object["targets"] = std::move(targets);
  return json::serialize(object);
}

Result<PrewarmSpec> SpecFromJson(std::string_view text) {
  TRY(const auto object, ParseObject(text));
  PrewarmSpec spec;
  TRY_STATUS(ReadText(object, "volume", spec.volume));
  TRY_STATUS(ReadTexts(object, "paths", spec.paths));
  TRY_STATUS(ReadTexts(object, "node_names", spec.nodes.names));
  TRY_STATUS(ReadLabels(object, "node_labels", spec.nodes.labels));
  TRY_STATUS(ReadNumber(object, "node_count", spec.nodes.count));
  TRY_STATUS(ReadNumber(object, "priority", spec.priority));
  TRY_STATUS(ReadFlag(object, "refuse_if_late", spec.refuse_if_late));
  TRY_STATUS(ReadFlag(object, "keep", spec.keep));
  TRY_STATUS(ReadText(object, "model", spec.model));
  if (object.contains("deadline")) {
    std::int64_t nanoseconds = 0;
    TRY_STATUS(ReadNumber(object, "deadline", nanoseconds));
    spec.deadline = FromNanoseconds(nanoseconds);
  }
  TRY_STATUS(ReadWorkload(object, spec));
  TRY_STATUS(ReadTargets(object, spec));
  return spec;
}

std::string ProgressToJson(const TaskProgress& progress) {
  json::object object;
  for (const auto& field : kProgressFields) object[field.name] = progress.*field.member;
  return json::serialize(object);
}

Result<TaskProgress> ProgressFromJson(std::string_view text) {
  TRY(const auto object, ParseObject(text));
  TaskProgress progress;
  for (const auto& field : kProgressFields) {
    TRY_STATUS(ReadNumber(object, field.name, progress.*field.member));
  }
  return progress;
}

}  // namespace prewarm::controller
