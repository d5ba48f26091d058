#include "agent/link/wire.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "common/base/utf8.h"

namespace prewarm::agent {
namespace {

// A report takes at most some 2 KiB: its texts are cut by who writes them.
constexpr std::size_t kReportsInMessage = 1000;

google::protobuf::Timestamp ToTimestamp(WallTime when) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count());
}

v1::TaskState ToWire(TaskState state) {
  switch (state) {
    case TaskState::kQueued: return v1::TASK_STATE_QUEUED;
    case TaskState::kRunning: return v1::TASK_STATE_RUNNING;
    case TaskState::kStored: return v1::TASK_STATE_STORED;
    case TaskState::kVisible: return v1::TASK_STATE_VISIBLE;
    case TaskState::kFailed: return v1::TASK_STATE_FAILED;
    case TaskState::kCancelled: return v1::TASK_STATE_CANCELLED;
    case TaskState::kStale: return v1::TASK_STATE_STALE;
  }
  return v1::TASK_STATE_UNSPECIFIED;
}

v1::Adoption ToWire(Adoption adoption) {
  switch (adoption) {
    case Adoption::kBeforeMount: return v1::ADOPTION_BEFORE_MOUNT;
    case Adoption::kLive: return v1::ADOPTION_LIVE;
    case Adoption::kRescan: return v1::ADOPTION_RESCAN;
    case Adoption::kNever: return v1::ADOPTION_NEVER;
    case Adoption::kUnknown: return v1::ADOPTION_UNKNOWN;
  }
  return v1::ADOPTION_UNSPECIFIED;
}

template <class Map>
void PutReasons(const std::array<std::uint64_t, Tally::kReasons>& counts, Map& reasons) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) reasons[std::string(ReasonName(static_cast<Reason>(i)))] = counts[i];
  }
}

v1::TaskReport ToWire(const TaskReport& report) {
  v1::TaskReport message;
  message.mutable_task()->set_prewarm(ToUtf8(report.id.prewarm));
  message.mutable_task()->set_generation(report.id.generation);
  message.set_state(ToWire(report.state));
  message.set_planned_blocks(report.planned_blocks);
  message.set_planned_bytes(report.planned_bytes);
  message.set_present_blocks(report.present_blocks);
  message.set_present_bytes(report.present_bytes);
  const auto& counts = report.counts;
  message.set_fetched_blocks(counts.fetched_blocks);
  message.set_fetched_bytes(counts.fetched_bytes);
  message.set_failed_blocks(counts.failed_blocks);
  message.set_wire_bytes(counts.wire_bytes);
  message.set_requests(counts.requests);
  message.set_retries(counts.retries);
  message.set_unverified_blocks(counts.unverified_blocks);
  PutReasons(counts.failed_by_reason, *message.mutable_failed_by_reason());
  PutReasons(counts.errors_by_reason, *message.mutable_errors_by_reason());
  message.set_reason(report.reason);
  message.set_message(ToUtf8(report.message));
  message.set_bytes_per_second(report.bytes_per_second);
  if (report.visible_at) *message.mutable_visible_at() = ToTimestamp(*report.visible_at);
  message.set_visibility(ToUtf8(report.visibility));
  if (report.first_byte_at) *message.mutable_first_byte_at() = ToTimestamp(*report.first_byte_at);
  return message;
}

v1::NodeStatus ToWire(const NodeState& state) {
  v1::NodeStatus status;
  for (const auto& directory : state.directories) {
    auto& message = *status.add_directories();
    message.set_path(ToUtf8(directory.path));
    message.set_capacity_bytes(directory.capacity_bytes);
    message.set_available_bytes(directory.available_bytes);
    message.set_available_inodes(directory.available_inodes);
    message.set_disk(directory.disk);
  }
  for (const auto& volume : state.volumes) {
    auto& message = *status.add_volumes();
    message.set_uuid(volume.uuid);
    message.set_cached_blocks(volume.cached_blocks);
    message.set_cached_bytes(volume.cached_bytes);
    message.set_mounted(volume.mounted);
    message.set_adoption(ToWire(volume.adoption));
    message.set_words(ToUtf8(volume.words));
  }
  status.mutable_measured()->set_disk_write_bytes_per_second(state.measured.disk_write);
  status.mutable_measured()->set_disk_read_bytes_per_second(state.measured.disk_read);
  status.mutable_measured()->set_store_bytes_per_second(state.measured.store);
  status.mutable_limits()->set_origin_bytes_per_second(state.limits.origin);
  status.mutable_limits()->set_disk_write_bytes_per_second(state.limits.disk_write);
  status.set_origin_bytes_total(state.origin_bytes);
  status.set_origin_bytes_per_second(state.origin_bytes_per_second);
  status.set_stored_bytes_total(state.stored_bytes);
  status.set_draining(state.draining);
  return status;
}

}  // namespace

v1::AgentMessage HelloMessage(const NodeIdentity& identity, const NodeState& state,
                              const std::vector<TaskReport>& tasks, std::uint64_t newest_epoch) {
  v1::AgentMessage message;
  auto& hello = *message.mutable_hello();
  hello.set_node(ToUtf8(identity.node));
  hello.set_version(identity.version);
  hello.set_instance(identity.instance);
  for (const auto& [name, value] : identity.labels) {
    (*hello.mutable_labels())[ToUtf8(name)] = ToUtf8(value);
  }
  *hello.mutable_status() = ToWire(state);
  *hello.mutable_directories() = hello.status().directories();
  *hello.mutable_volumes() = hello.status().volumes();
  *hello.mutable_measured() = hello.status().measured();
  for (const auto& task : tasks) *hello.add_tasks() = ToWire(task);
  hello.set_newest_epoch(newest_epoch);
  return message;
}

v1::AgentMessage StatusMessage(const NodeState& state) {
  v1::AgentMessage message;
  *message.mutable_status() = ToWire(state);
  return message;
}

std::vector<v1::AgentMessage> ReportMessages(const std::vector<TaskReport>& reports) {
  std::vector<v1::AgentMessage> messages;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (i % kReportsInMessage == 0) messages.emplace_back();
    *messages.back().mutable_reports()->add_tasks() = ToWire(reports[i]);
  }
  return messages;
}

TaskId FromWire(const v1::TaskId& id) { return {id.prewarm(), id.generation()}; }

TaskOrder FromWire(const v1::TaskOrder& order) {
  TaskOrder value;
  value.id = FromWire(order.task());
  value.volume = order.volume();
  value.rank.priority = order.priority();
  if (order.has_deadline()) {
    value.rank.deadline = WallTime(std::chrono::microseconds(
        google::protobuf::util::TimeUtil::TimestampToMicroseconds(order.deadline())));
  }
  // A rank compares ages only, so their unit does not matter.
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  value.rank.since = WallTime(WallTime::duration(std::min(order.age(), kLargest)));
  value.paths.assign(order.paths().begin(), order.paths().end());
  return value;
}

VolumeDescriptor FromWire(const v1::Volume& volume) {
  VolumeDescriptor value;
  value.name = volume.name();
  value.setting = volume.setting();
  value.cache_directories.assign(volume.cache_directories().begin(),
                                 volume.cache_directories().end());
  value.rsa_passphrase = Secret(volume.rsa_passphrase());
  value.download_limit = volume.download_limit();
  return value;
}

NodeLimits FromWire(const v1::NodeLimits& limits) {
  return {limits.origin_bytes_per_second(), limits.disk_write_bytes_per_second()};
}

Status AppendRuns(const v1::TaskPlan& part, std::vector<juicefs::BlockRun>& runs) {
  const int count = part.slice_id_size();
  if (part.slice_size_size() != count || part.first_index_size() != count ||
      part.count_size() != count) {
    return Fail(ErrorCode::kInvalidArgument, "columns of a plan have different lengths");
  }
  for (int i = 0; i < count; ++i) {
    runs.push_back({juicefs::SliceId(part.slice_id(i)), part.slice_size(i), part.first_index(i),
                    part.count(i)});
  }
  return {};
}

}  // namespace prewarm::agent
