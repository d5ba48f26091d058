#include "controller/api/wire.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "controller/api/progress_view.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {
namespace {

using google::protobuf::Timestamp;

constexpr std::int64_t kNanosInSecond = 1'000'000'000;

// From 1970 until what the clock's 64 bits of nanoseconds hold, in the year 2262.
std::optional<WallTime> FromTimestamp(const Timestamp& stamp) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max() / kNanosInSecond - 1;
  if (stamp.seconds() < 0 || stamp.seconds() > kMost || stamp.nanos() < 0 ||
      stamp.nanos() >= kNanosInSecond) {
    return std::nullopt;
  }
  const std::chrono::nanoseconds since(stamp.seconds() * kNanosInSecond + stamp.nanos());
  return WallTime(std::chrono::duration_cast<WallTime::duration>(since));
}

Timestamp ToTimestamp(WallTime when) {
  const auto since = when.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  Timestamp stamp;
  stamp.set_seconds(seconds.count());
  stamp.set_nanos(static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count()));
  return stamp;
}

PrewarmSpec SpecFromWire(const v1::PrewarmSpec& message, FieldProblems& problems) {
  PrewarmSpec spec;
  spec.volume = message.volume();
  spec.paths.assign(message.paths().begin(), message.paths().end());
  spec.nodes.names.assign(message.nodes().names().begin(), message.nodes().names().end());
  spec.nodes.labels = {message.nodes().labels().begin(), message.nodes().labels().end()};
  spec.nodes.count = message.nodes().count();
  spec.priority = message.priority();
  if (message.has_deadline()) {
    spec.deadline = FromTimestamp(message.deadline());
    if (!spec.deadline) {
      problems.Add("spec.deadline", "is not a time between the years 1970 and 2262");
      spec.deadline = WallTime{};  // so that nothing else complains of a missing deadline
    }
  }
  spec.refuse_if_late = message.refuse_if_late();
  spec.keep = message.keep();
  spec.model = message.model();
  return spec;
}

void SpecToWire(const PrewarmSpec& spec, v1::PrewarmSpec& message) {
  message.set_volume(spec.volume);
  message.mutable_paths()->Assign(spec.paths.begin(), spec.paths.end());
  if (spec.nodes != NodeSelector{}) {
    auto& nodes = *message.mutable_nodes();
    nodes.mutable_names()->Assign(spec.nodes.names.begin(), spec.nodes.names.end());
    nodes.mutable_labels()->insert(spec.nodes.labels.begin(), spec.nodes.labels.end());
    nodes.set_count(spec.nodes.count);
  }
  message.set_priority(spec.priority);
  if (spec.deadline) *message.mutable_deadline() = ToTimestamp(*spec.deadline);
  message.set_refuse_if_late(spec.refuse_if_late);
  message.set_keep(spec.keep);
  message.set_model(spec.model);
}

v1::PrewarmState StateToWire(PrewarmState state) {
  switch (state) {
    case PrewarmState::kPending: return v1::PREWARM_STATE_PENDING;
    case PrewarmState::kRunning: return v1::PREWARM_STATE_RUNNING;
    case PrewarmState::kWarm: return v1::PREWARM_STATE_WARM;
    case PrewarmState::kSucceeded: return v1::PREWARM_STATE_SUCCEEDED;
    case PrewarmState::kFailed: return v1::PREWARM_STATE_FAILED;
    case PrewarmState::kCancelled: return v1::PREWARM_STATE_CANCELLED;
    case PrewarmState::kSuperseded: return v1::PREWARM_STATE_SUPERSEDED;
  }
  return v1::PREWARM_STATE_UNSPECIFIED;
}

std::optional<PrewarmState> StateFromWire(v1::PrewarmState state, FieldProblems& problems) {
  switch (state) {
    case v1::PREWARM_STATE_UNSPECIFIED: return std::nullopt;
    case v1::PREWARM_STATE_PENDING: return PrewarmState::kPending;
    case v1::PREWARM_STATE_RUNNING: return PrewarmState::kRunning;
    case v1::PREWARM_STATE_WARM: return PrewarmState::kWarm;
    case v1::PREWARM_STATE_SUCCEEDED: return PrewarmState::kSucceeded;
    case v1::PREWARM_STATE_FAILED: return PrewarmState::kFailed;
    case v1::PREWARM_STATE_CANCELLED: return PrewarmState::kCancelled;
    case v1::PREWARM_STATE_SUPERSEDED: return PrewarmState::kSuperseded;
    default:
      problems.Add("state", std::to_string(static_cast<int>(state)) + " is not a known state");
      return std::nullopt;
  }
}

void ProgressToWire(const ProgressView& progress, v1::Progress& message) {
  message.set_planned_bytes(progress.planned_bytes);
  message.set_stored_bytes(progress.stored_bytes);
  message.set_visible_bytes(progress.visible_bytes);
  message.set_fetched_bytes(progress.fetched_bytes);
  message.set_failed_blocks(progress.failed_blocks);
  message.set_bytes_per_second(progress.bytes_per_second);
}

void TaskToWire(const TaskView& view, v1::TaskStatus& message) {
  message.set_node(view.task.node);
  message.set_state(std::string(StateName(view.task.state)));
  message.set_reason(view.task.reason);
  message.set_message(view.task.message);
  ProgressToWire(ProgressOf(view.task), *message.mutable_progress());
  if (view.eta) *message.mutable_eta() = ToTimestamp(*view.eta);
  if (view.task.visible_at) *message.mutable_visible_at() = ToTimestamp(*view.task.visible_at);
}

void WorkloadToWire(const PrewarmSpec& spec, v1::Prewarm& message) {
  if (!spec.workload) return;
  auto& workload = *message.mutable_workload();
  workload.set_api_version(spec.workload->api_version);
  workload.set_kind(spec.workload->kind);
  workload.set_name(spec.workload->name);
  for (const auto& target : spec.targets) {
    auto& entry = *message.add_targets();
    entry.set_node(target.node);
    entry.set_priority(target.priority);
    entry.set_signal(target.signal);
    entry.set_why(target.why);
  }
}

void ForecastToWire(const Forecast& forecast, v1::Forecast& message) {
  if (forecast.finish) *message.mutable_finish() = ToTimestamp(*forecast.finish);
  if (forecast.late) {
    const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(*forecast.late).count();
    message.mutable_late()->set_seconds(nanos / kNanosInSecond);
    message.mutable_late()->set_nanos(static_cast<std::int32_t>(nanos % kNanosInSecond));
  }
  message.set_bytes_per_second(forecast.bytes_per_second);
  message.set_words(forecast.words);
}

template <class T>
ApiResult<T> Unless(FieldProblems problems, T value) {
  if (!problems.empty()) return Refuse(std::move(problems).ToProblem());
  return value;
}

template <class Message>
PageRequest PageFromWire(const Message& request, PageLimits limits, FieldProblems& problems) {
  return {CheckPageSize(request.page_size(), limits, "page_size", problems), request.page_token()};
}

template <class Message>
ApiResult<PageRequest> OnlyPage(const Message& request) {
  FieldProblems problems;
  auto page = PageFromWire(request, kListPages, problems);
  return Unless(std::move(problems), std::move(page));
}

ApiResult<std::string> OnlyName(const std::string& name, const char* field) {
  FieldProblems problems;
  CheckName(name, field, problems);
  return Unless(std::move(problems), name);
}

template <class View, class Response, class Field>
void PageToWire(const Page<View>& page, Response& message, Field* items) {
  for (const auto& item : page.items) ToWire(item, *items->Add());
  message.set_next_page_token(page.next_page_token);
}

std::string VolumeWords(const NodeVolume& volume) {
  return volume.words.empty() ? volume.uuid : volume.words;
}

}  // namespace

ApiResult<CreateRequest> FromWire(const v1::CreatePrewarmRequest& request) {
  FieldProblems problems;
  CreateRequest create{SpecFromWire(request.spec(), problems), request.idempotency_key(),
                       request.bento()};
  CheckRequest(create, problems);
  return Unless(std::move(problems), std::move(create));
}

ApiResult<ListRequest> FromWire(const v1::ListPrewarmsRequest& request) {
  FieldProblems problems;
  const auto state = StateFromWire(request.state(), problems);
  if (!request.volume().empty()) CheckName(request.volume(), "volume", problems);
  auto page = PageFromWire(request, kListPages, problems);
  return Unless(std::move(problems), ListRequest{{request.volume(), state}, std::move(page)});
}

ApiResult<FilesRequest> FromWire(const v1::ListFilesRequest& request) {
  FieldProblems problems;
  CheckName(request.volume(), "volume", problems);
  CheckPath(request.path(), "path", problems);
  auto page = PageFromWire(request, kFilePages, problems);
  return Unless(std::move(problems),
                FilesRequest{request.volume(), request.path(), std::move(page)});
}

ApiResult<PageRequest> FromWire(const v1::ListNodesRequest& request) { return OnlyPage(request); }
ApiResult<PageRequest> FromWire(const v1::ListVolumesRequest& request) { return OnlyPage(request); }
ApiResult<std::string> FromWire(const v1::GetPrewarmRequest& request) {
  return OnlyName(request.id(), "id");
}
ApiResult<std::string> FromWire(const v1::CancelPrewarmRequest& request) {
  return OnlyName(request.id(), "id");
}
ApiResult<std::string> FromWire(const v1::GetNodeRequest& request) {
  return OnlyName(request.name(), "name");
}
ApiResult<std::string> FromWire(const v1::GetVolumeRequest& request) {
  return OnlyName(request.name(), "name");
}

void ToWire(const PrewarmView& view, v1::Prewarm& message) {
  const auto& prewarm = view.prewarm;
  message.set_id(prewarm.id);
  message.set_namespace_(prewarm.name_space);
  SpecToWire(prewarm.spec, *message.mutable_spec());
  message.set_state(StateToWire(prewarm.state));
  message.set_reason(prewarm.reason);
  message.set_message(prewarm.message);
  *message.mutable_created_at() = ToTimestamp(prewarm.created_at);
  if (prewarm.ended_at) *message.mutable_ended_at() = ToTimestamp(*prewarm.ended_at);
  ProgressToWire(ProgressOf(view.tasks), *message.mutable_progress());
  for (const auto& task : view.tasks) TaskToWire(task, *message.add_tasks());
  if (view.forecast) ForecastToWire(*view.forecast, *message.mutable_forecast());
  message.set_superseded_by(prewarm.superseded_by);
  message.set_files(prewarm.files);
  message.set_generation(prewarm.generation);
  WorkloadToWire(prewarm.spec, message);
}

void ToWire(const CreateAnswer& answer, v1::Prewarm& message) { ToWire(answer.view, message); }

void ToWire(const PlanView& view, v1::PrewarmPlan& message) {
  SpecToWire(view.spec, *message.mutable_spec());
  for (const auto& action : view.actions) {
    auto& planned = *message.add_actions();
    planned.set_node(action.node);
    planned.set_action(action.action);
    planned.set_bytes(action.bytes);
  }
  message.set_files(view.files);
  message.set_bytes(view.bytes);
  message.set_blocks(view.blocks);
  if (view.forecast) ForecastToWire(*view.forecast, *message.mutable_forecast());
  for (const auto& rejected : view.rejected) {
    auto& node = *message.add_rejected();
    node.set_node(rejected.node);
    node.set_reason(rejected.reason);
  }
  message.mutable_superseded()->Assign(view.superseded.begin(), view.superseded.end());
}

void ToWire(const NodeView& view, v1::Node& message) {
  const auto& node = view.node;
  message.set_name(node.name);
  message.set_connected(node.connected);
  if (node.seen_at) *message.mutable_seen_at() = ToTimestamp(*node.seen_at);
  message.set_version(node.version);
  message.mutable_labels()->insert(node.labels.begin(), node.labels.end());
  message.set_capacity_bytes(node.CapacityBytes());
  message.set_available_bytes(node.AvailableBytes());
  message.set_download_limit(node.download_limit);
  message.set_bytes_per_second(node.bytes_per_second);
  message.set_tasks(view.tasks);
  message.set_queued_bytes(view.queued_bytes);
  if (view.eta) *message.mutable_eta() = ToTimestamp(*view.eta);
  message.set_draining(node.draining);
  for (const auto& volume : node.volumes) message.add_volumes(VolumeWords(volume));
}

void ToWire(const VolumeView& view, v1::VolumeStatus& message) {
  message.set_name(view.name);
  message.set_uuid(view.uuid);
  message.set_storage(view.storage);
  message.set_reachable(view.reachable);
  message.set_message(view.message);
  message.set_prewarms(view.prewarms);
  message.set_bytes_per_second(view.bytes_per_second);
  if (view.eta) *message.mutable_eta() = ToTimestamp(*view.eta);
}

void ToWire(const FilesView& view, v1::ListFilesResponse& message) {
  for (const auto& file : view.files) {
    auto& entry = *message.add_files();
    entry.set_path(file.path);
    entry.set_bytes(file.bytes);
    entry.set_slices(file.slices);
  }
  message.set_total_files(view.total_files);
  message.set_total_bytes(view.total_bytes);
  message.set_next_page_token(view.next_page_token);
}

void ToWire(const Page<PrewarmView>& page, v1::ListPrewarmsResponse& message) {
  PageToWire(page, message, message.mutable_prewarms());
}
void ToWire(const Page<NodeView>& page, v1::ListNodesResponse& message) {
  PageToWire(page, message, message.mutable_nodes());
}
void ToWire(const Page<VolumeView>& page, v1::ListVolumesResponse& message) {
  PageToWire(page, message, message.mutable_volumes());
}

}  // namespace prewarm::controller
