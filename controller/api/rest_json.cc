#include "controller/api/rest_json.h"

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/rfc3339.h"
#include "common/base/utf8.h"
#include "controller/api/json_fields.h"
#include "controller/api/progress_view.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

NodeSelector SelectorFrom(JsonFields fields) {
  NodeSelector selector;
  selector.names = fields.TextList("names").value_or(selector.names);
  selector.labels = fields.TextMap("labels").value_or(selector.labels);
  selector.count = static_cast<std::uint32_t>(
      fields.Integer("count", 0, std::numeric_limits<std::uint32_t>::max()).value_or(0));
  fields.Finish();
  return selector;
}

PrewarmSpec SpecFrom(JsonFields fields) {
  PrewarmSpec spec;
  // One of a wrong type was told already and is not missing.
  spec.volume = fields.Text("volume").value_or(fields.Has("volume") ? "?" : "");
  spec.paths = fields.TextList("paths").value_or(spec.paths);
  if (auto nodes = fields.Object("nodes")) spec.nodes = SelectorFrom(*std::move(nodes));
  spec.priority = static_cast<int>(fields.Integer("priority", 0, kMaxPriority).value_or(0));
  spec.deadline = fields.Time("deadline");
  // As above.
  const bool bad_deadline = fields.Has("deadline") && !spec.deadline;
  spec.refuse_if_late = fields.Flag("refuse_if_late").value_or(false) && !bad_deadline;
  spec.keep = fields.Flag("keep").value_or(false);
  spec.model = fields.Text("model").value_or("");
  fields.Finish();
  return spec;
}

// Names of files and what is said of them may be any bytes.
json::string Text(std::string_view bytes) {
  const auto text = ToUtf8(bytes);
  return json::string(text.data(), text.size());
}

json::value Time(const std::optional<WallTime>& when) {
  if (!when) return nullptr;
  return Text(FormatRfc3339(*when));
}

json::value Seconds(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  if (milliseconds % 1000 == 0) return milliseconds / 1000;
  return static_cast<double>(milliseconds) / 1000;
}

json::array Texts(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(Text(text));
  return array;
}

json::object TextMap(const std::map<std::string, std::string>& map) {
  json::object object;
  for (const auto& [name, value] : map) object.emplace(Text(name), Text(value));
  return object;
}

json::object SpecToJson(const PrewarmSpec& spec) {
  return {{"volume", Text(spec.volume)},
          {"paths", Texts(spec.paths)},
          {"nodes",
           {{"names", Texts(spec.nodes.names)},
            {"labels", TextMap(spec.nodes.labels)},
            {"count", spec.nodes.count}}},
          {"priority", spec.priority},
          {"deadline", Time(spec.deadline)},
          {"refuse_if_late", spec.refuse_if_late},
          {"keep", spec.keep},
          {"model", Text(spec.model)}};
}

json::object ProgressToJson(const ProgressView& progress) {
  return {
      {"planned_bytes", progress.planned_bytes}, {"stored_bytes", progress.stored_bytes},
      {"visible_bytes", progress.visible_bytes}, {"fetched_bytes", progress.fetched_bytes},
      {"failed_blocks", progress.failed_blocks}, {"bytes_per_second", progress.bytes_per_second}};
}

json::value ForecastToJson(const std::optional<Forecast>& forecast) {
  if (!forecast) return nullptr;
  return {{"finish", Time(forecast->finish)},
          {"late", Seconds(forecast->late)},
          {"bytes_per_second", forecast->bytes_per_second},
          {"words", Text(forecast->words)}};
}

json::object ToJson(const TaskView& view) {
  return {{"node", Text(view.task.node)},
          {"state", Text(StateName(view.task.state))},
          {"reason", Text(view.task.reason)},
          {"message", Text(view.task.message)},
          {"progress", ProgressToJson(ProgressOf(view.task))},
          {"eta", Time(view.eta)},
          {"visible_at", Time(view.task.visible_at)}};
}

json::value WorkloadToJson(const std::optional<WorkloadRef>& workload) {
  if (!workload) return nullptr;
  return {{"api_version", Text(workload->api_version)},
          {"kind", Text(workload->kind)},
          {"name", Text(workload->name)}};
}

json::object ToJson(const NodeTarget& target) {
  return {{"node", Text(target.node)},
          {"priority", target.priority},
          {"signal", Text(target.signal)},
          {"why", Text(target.why)}};
}

json::object ToJson(const PlannedAction& action) {
  return {{"node", Text(action.node)}, {"action", Text(action.action)}, {"bytes", action.bytes}};
}

json::object ToJson(const RejectedNode& rejected) {
  return {{"node", Text(rejected.node)}, {"reason", Text(rejected.reason)}};
}

json::object ToJson(const FileView& file) {
  return {{"path", Text(file.path)}, {"bytes", file.bytes}, {"slices", file.slices}};
}

template <class Item>
json::array Items(const std::vector<Item>& items) {
  json::array array;
  for (const auto& item : items) array.emplace_back(ToJson(item));
  return array;
}

template <class Item>
json::object PageToJson(const char* name, const Page<Item>& page) {
  return {{name, Items(page.items)}, {"next_page_token", Text(page.next_page_token)}};
}

}  // namespace

ApiResult<CreateRequest> CreateRequestFromJson(std::string_view body) {
  const auto document = ParseJson(body);
  if (!document) return Refuse(document.error());
  FieldProblems problems;
  const auto* object = document->if_object();
  if (object == nullptr) {
    problems.Add("", "the document must be an object, not " + std::string(JsonKindName(*document)));
    return Refuse(std::move(problems).ToProblem());
  }
  CreateRequest request;
  JsonFields fields(*object, "", problems);
  const auto spec = fields.Object("spec");
  if (spec) {
    request.spec = SpecFrom(*spec);
  } else if (!fields.Has("spec")) {
    problems.Add("spec", "is missing");
  }
  // As with a volume of a wrong type.
  request.bento = fields.Text("bento").value_or(fields.Has("bento") ? "?" : "");
  request.idempotency_key = fields.Text("idempotency_key").value_or("");
  if (spec) {
    CheckRequest(request, problems);
  } else {
    CheckIdempotencyKey(request.idempotency_key, "idempotency_key", problems);
  }
  fields.Finish();
  if (!problems.empty()) return Refuse(std::move(problems).ToProblem());
  return request;
}

json::object ToJson(const PrewarmView& view) {
  const auto& prewarm = view.prewarm;
  return {{"id", Text(prewarm.id)},
          {"namespace", Text(prewarm.name_space)},
          {"spec", SpecToJson(prewarm.spec)},
          {"state", Text(StateName(prewarm.state))},
          {"reason", Text(prewarm.reason)},
          {"message", Text(prewarm.message)},
          {"created_at", Time(prewarm.created_at)},
          {"ended_at", Time(prewarm.ended_at)},
          {"progress", ProgressToJson(ProgressOf(view.tasks))},
          {"tasks", Items(view.tasks)},
          {"forecast", ForecastToJson(view.forecast)},
          {"superseded_by", Text(prewarm.superseded_by)},
          {"files", prewarm.files},
          {"generation", prewarm.generation},
          {"workload", WorkloadToJson(prewarm.spec.workload)},
          {"targets", Items(prewarm.spec.targets)}};
}

json::object ToJson(const CreateAnswer& answer) { return ToJson(answer.view); }

json::object ToJson(const PlanView& view) {
  return {{"spec", SpecToJson(view.spec)},
          {"actions", Items(view.actions)},
          {"files", view.files},
          {"bytes", view.bytes},
          {"blocks", view.blocks},
          {"forecast", ForecastToJson(view.forecast)},
          {"rejected", Items(view.rejected)},
          {"superseded", Texts(view.superseded)}};
}

json::object ToJson(const NodeView& view) {
  const auto& node = view.node;
  json::array volumes;
  for (const auto& volume : node.volumes) {
    volumes.emplace_back(Text(volume.words.empty() ? volume.uuid : volume.words));
  }
  return {{"name", Text(node.name)},
          {"connected", node.connected},
          {"seen_at", Time(node.seen_at)},
          {"version", Text(node.version)},
          {"labels", TextMap(node.labels)},
          {"capacity_bytes", node.CapacityBytes()},
          {"available_bytes", node.AvailableBytes()},
          {"download_limit", node.download_limit},
          {"bytes_per_second", node.bytes_per_second},
          {"tasks", view.tasks},
          {"queued_bytes", view.queued_bytes},
          {"eta", Time(view.eta)},
          {"draining", node.draining},
          {"volumes", std::move(volumes)}};
}

json::object ToJson(const VolumeView& view) {
  return {{"name", Text(view.name)},
          {"uuid", Text(view.uuid)},
          {"storage", Text(view.storage)},
          {"reachable", view.reachable},
          {"message", Text(view.message)},
          {"prewarms", view.prewarms},
          {"bytes_per_second", view.bytes_per_second},
          {"eta", Time(view.eta)}};
}

json::object ToJson(const FilesView& view) {
  return {{"files", Items(view.files)},
          {"total_files", view.total_files},
          {"total_bytes", view.total_bytes},
          {"next_page_token", Text(view.next_page_token)}};
}

json::object ToJson(const Page<PrewarmView>& page) { return PageToJson("prewarms", page); }
json::object ToJson(const Page<NodeView>& page) { return PageToJson("nodes", page); }
json::object ToJson(const Page<VolumeView>& page) { return PageToJson("volumes", page); }

}  // namespace prewarm::controller
