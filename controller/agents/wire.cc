#include "controller/agents/wire.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <chrono>

namespace prewarm::controller {
namespace {

// Keeps a part of a plan well below the 4 MiB that a message may have: a run takes at most 30
// bytes.
constexpr std::size_t kRunsInPart = 100'000;
constexpr std::size_t kMostPathBytes = 1 << 20;

google::protobuf::Timestamp ToTimestamp(WallTime when) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count());
}

std::string AdoptionName(v1::Adoption adoption) {
  switch (adoption) {
    case v1::ADOPTION_BEFORE_MOUNT: return "before-mount";
    case v1::ADOPTION_LIVE: return "live";
    case v1::ADOPTION_RESCAN: return "rescan";
    case v1::ADOPTION_NEVER: return "never";
    default: return "unknown";
  }
}

WallTime FromTimestamp(const google::protobuf::Timestamp& stamp) {
  return WallTime(
      std::chrono::microseconds(google::protobuf::util::TimeUtil::TimestampToMicroseconds(stamp)));
}

TaskState FromWire(v1::TaskState state) {
  switch (state) {
    case v1::TASK_STATE_QUEUED: return TaskState::kQueued;
    case v1::TASK_STATE_STORED: return TaskState::kStored;
    case v1::TASK_STATE_VISIBLE: return TaskState::kVisible;
    case v1::TASK_STATE_FAILED: return TaskState::kFailed;
    case v1::TASK_STATE_CANCELLED: return TaskState::kCancelled;
    case v1::TASK_STATE_STALE: return TaskState::kStale;
    default: return TaskState::kRunning;
  }
}

// All of them or none: about a part of the plan nobody needs to ask.
void PutPaths(const std::vector<std::string>& paths, v1::TaskOrder& order) {
  std::size_t bytes = 0;
  for (const auto& path : paths) bytes += path.size();
  if (bytes > kMostPathBytes) return;
  order.mutable_paths()->Assign(paths.begin(), paths.end());
}

template <class Message>
void SetTask(Message& message, const std::string& prewarm, std::uint64_t generation) {
  message.mutable_task()->set_prewarm(prewarm);
  message.mutable_task()->set_generation(generation);
}

}  // namespace

HeldReport FromWire(const v1::TaskReport& report) {
  HeldReport held;
  held.held.prewarm = report.task().prewarm();
  held.held.generation = report.task().generation();
  held.held.state = FromWire(report.state());
  auto& progress = held.progress;
  progress.planned_blocks = report.planned_blocks();
  progress.planned_bytes = report.planned_bytes();
  progress.present_blocks = report.present_blocks();
  progress.present_bytes = report.present_bytes();
  progress.fetched_blocks = report.fetched_blocks();
  progress.fetched_bytes = report.fetched_bytes();
  progress.failed_blocks = report.failed_blocks();
  progress.wire_bytes = report.wire_bytes();
  progress.requests = report.requests();
  progress.retries = report.retries();
  progress.bytes_per_second = report.bytes_per_second();
  held.reason = report.reason();
  held.message = report.message().empty() ? report.visibility() : report.message();
  if (report.has_visible_at()) held.visible_at = FromTimestamp(report.visible_at());
  return held;
}

Node FromWire(const v1::Hello& hello) {
  Node node;
  node.name = hello.node();
  node.version = hello.version();
  node.labels.insert(hello.labels().begin(), hello.labels().end());
  v1::NodeStatus status = hello.status();
  if (status.directories().empty()) *status.mutable_directories() = hello.directories();
  if (status.volumes().empty()) *status.mutable_volumes() = hello.volumes();
  if (!status.has_measured()) *status.mutable_measured() = hello.measured();
  Update(node, status);
  return node;
}

void Update(Node& node, const v1::NodeStatus& status) {
  node.directories.clear();
  for (const auto& directory : status.directories()) {
    node.directories.push_back({directory.path(), directory.capacity_bytes(),
                                directory.available_bytes(), directory.disk()});
  }
  node.volumes.clear();
  for (const auto& volume : status.volumes()) {
    node.volumes.push_back({volume.uuid(), volume.cached_bytes(), volume.mounted(), volume.words(),
                            AdoptionName(volume.adoption())});
  }
  node.measured_store_rate = status.measured().store_bytes_per_second();
  node.measured_disk_rate = status.measured().disk_write_bytes_per_second();
  node.bytes_per_second = status.origin_bytes_per_second();
  node.origin_bytes_total = status.origin_bytes_total();
  node.download_limit = status.limits().origin_bytes_per_second();
  node.draining = status.draining();
}

v1::Volume ToWire(const VolumeDescriptor& volume) {
  v1::Volume message;
  message.set_name(volume.name);
  message.set_setting(volume.setting);
  for (const auto& directory : volume.cache_directories) message.add_cache_directories(directory);
  message.set_rsa_passphrase(volume.rsa_passphrase.Reveal());
  message.set_download_limit(volume.download_limit);
  return message;
}

std::vector<v1::ControllerMessage> ToWire(const Order& order, const std::string& volume,
                                          const ResolvedPlan* plan) {
  std::vector<v1::ControllerMessage> messages(1);
  auto& head = *messages.front().mutable_order();
  SetTask(head, order.prewarm, order.generation);
  head.set_volume(volume);
  head.set_priority(order.rank.priority);
  if (order.rank.deadline) *head.mutable_deadline() = ToTimestamp(*order.rank.deadline);
  head.set_age(order.rank.age);
  if (plan == nullptr) return messages;
  head.set_block_size(plan->blocks.block_size());
  head.set_planned_blocks(plan->blocks.block_count());
  head.set_planned_bytes(plan->blocks.bytes());
  PutPaths(plan->paths, head);
  const auto runs = plan->blocks.Runs();
  const auto parts = std::max<std::size_t>(1, (runs.size() + kRunsInPart - 1) / kRunsInPart);
  head.set_plan_parts(static_cast<std::uint32_t>(parts));
  for (std::size_t part = 0; part < parts; ++part) {
    auto& message = *messages.emplace_back().mutable_plan();
    SetTask(message, order.prewarm, order.generation);
    message.set_part(static_cast<std::uint32_t>(part));
    const auto end = std::min(runs.size(), (part + 1) * kRunsInPart);
    for (std::size_t i = part * kRunsInPart; i < end; ++i) {
      message.add_slice_id(runs[i].slice.value);
      message.add_slice_size(runs[i].slice_size);
      message.add_first_index(runs[i].first_index);
      message.add_count(runs[i].count);
    }
  }
  return messages;
}

v1::ControllerMessage ToWire(const Cancel& cancel) {
  v1::ControllerMessage message;
  SetTask(*message.mutable_cancel(), cancel.prewarm, cancel.generation);
  return message;
}

v1::ControllerMessage ToWire(const Forget& forget) {
  v1::ControllerMessage message;
  SetTask(*message.mutable_forget(), forget.prewarm, forget.generation);
  return message;
}

v1::ControllerMessage ToWire(const NodeLimits& limits) {
  v1::ControllerMessage message;
  message.mutable_limits()->set_origin_bytes_per_second(limits.origin_bytes_per_second);
  message.mutable_limits()->set_disk_write_bytes_per_second(limits.disk_write_bytes_per_second);
  return message;
}

}  // namespace prewarm::controller
