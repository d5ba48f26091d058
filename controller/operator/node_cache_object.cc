#include "controller/operator/node_cache_object.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/rfc3339.h"
#include "common/base/utf8.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

// As many as the definition lets through.
constexpr std::size_t kMostDirectories = 16;
constexpr std::size_t kMostVolumes = 64;
constexpr std::size_t kMostModels = 1000;
constexpr std::size_t kLongestWord = 64;
constexpr std::size_t kLongestAdoption = 32;
constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kLongestName = 253;

std::int64_t Stored(std::uint64_t count) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(count, kMost));
}

bool IsOpen(TaskState state) { return !IsFinal(state); }

bool Moved(std::uint64_t before, std::uint64_t now, std::uint64_t of) {
  const auto apart = before > now ? before - now : now - before;
  return apart > of / 100;
}

bool RoomMoved(const NodeCacheStatus& a, const NodeCacheStatus& b) {
  if (a.directories.size() != b.directories.size()) return true;
  for (std::size_t i = 0; i < a.directories.size(); ++i) {
    const auto& x = a.directories[i];
    const auto& y = b.directories[i];
    if (x.path != y.path || x.disk != y.disk || x.capacity_bytes != y.capacity_bytes) return true;
    if (Moved(x.available_bytes, y.available_bytes, x.capacity_bytes)) return true;
  }
  return false;
}

json::array DirectoryArray(const std::vector<CacheDirectory>& directories) {
  json::array array;
  for (const auto& directory : directories) {
    if (array.size() == kMostDirectories) break;
    array.push_back({{"path", ToUtf8(directory.path, kLongestPath)},
                     {"capacity", Stored(directory.capacity_bytes)},
                     {"available", Stored(directory.available_bytes)},
                     {"disk", ToUtf8(directory.disk, kLongestWord)}});
  }
  return array;
}

json::array VolumeArray(const std::vector<NodeCacheVolume>& volumes) {
  json::array array;
  for (const auto& volume : volumes) {
    if (array.size() == kMostVolumes) break;
    array.push_back({{"name", volume.name},
                     {"uuid", ToUtf8(volume.uuid, 36)},
                     {"cachedBytes", Stored(volume.cached_bytes)},
                     {"visibleBytes", Stored(volume.visible_bytes)},
                     {"mounted", volume.mounted},
                     {"adoption", ToUtf8(volume.adoption, kLongestAdoption)}});
  }
  return array;
}

json::array ModelArray(const std::vector<NodeCacheModel>& models) {
  json::array array;
  for (const auto& model : models) {
    if (array.size() == kMostModels) break;
    array.push_back({{"namespace", model.name_space},
                     {"prewarm", ToUtf8(model.prewarm, kLongestName)},
                     {"volume", model.volume},
                     {"state", StateName(model.state)},
                     {"plannedBytes", Stored(model.planned_bytes)},
                     {"doneBytes", Stored(model.done_bytes)}});
  }
  return array;
}

constexpr const char* kAgentConnected = "AgentConnected";

kube::Condition Away() {
  return kube::MakeCondition(kAgentConnected, false, "Away",
                             "no agent of this node has a stream to the controller");
}

kube::Condition WarmCondition(const NodeCacheStatus& status) {
  const auto all = std::to_string(status.models.size());
  const auto visible =
      std::ranges::count(status.models, TaskState::kVisible, &NodeCacheModel::state);
  const auto failed = std::ranges::count(status.models, TaskState::kFailed, &NodeCacheModel::state);
  const auto words = std::to_string(visible) + " of " + all + " prewarms are visible here";
  if (status.models.empty()) {
    return kube::MakeCondition("Warm", true, "NothingOrdered", "no prewarm is for this node");
  }
  if (status.running + status.queued > 0) {
    return kube::MakeCondition("Warm", false, "Warming", "");
  }
  if (failed > 0) return kube::MakeCondition("Warm", false, "SomeFailed", words);
  return kube::MakeCondition("Warm", true, "AllVisible", words);
}

}  // namespace

NodeCacheObject ReadNodeCacheObject(const json::object& object) {
  NodeCacheObject read;
  if (const auto* metadata = kube::ObjectIn(object, "metadata")) {
    read.name = kube::TextIn(*metadata, "name");
    read.resource_version = kube::TextIn(*metadata, "resourceVersion");
  }
  if (const auto* status = kube::ObjectIn(object, "status")) {
    const auto* connected = status->if_contains("connected");
    read.connected = connected != nullptr && connected->is_bool() && connected->get_bool();
    read.conditions = kube::ReadConditions(*status);
  }
  return read;
}

NodeCacheStatus NodeCacheOf(const Node& node, std::vector<NodeCacheModel> models,
                            const std::map<std::string, std::string>& names,
                            std::optional<double> seconds_until_warm) {
  NodeCacheStatus status;
  status.connected = node.connected;
  status.agent_version = node.version;
  status.seen_at = node.seen_at;
  status.directories = node.directories;
  status.models = std::move(models);
  std::map<std::string, std::uint64_t> visible;  // by volume
  for (const auto& model : status.models) {
    if (model.state == TaskState::kVisible) visible[model.volume] += model.planned_bytes;
    if (model.state == TaskState::kRunning || model.state == TaskState::kStored) {
      ++status.running;
    } else if (IsOpen(model.state)) {
      ++status.queued;
    }
  }
  for (const auto& volume : node.volumes) {
    const auto name = names.find(volume.uuid);
    NodeCacheVolume entry{name == names.end() ? "" : name->second,
                          volume.uuid,
                          volume.cached_bytes,
                          0,
                          volume.mounted,
                          volume.adoption};
    if (!entry.name.empty()) entry.visible_bytes = visible[entry.name];
    status.volumes.push_back(std::move(entry));
  }
  if (seconds_until_warm && *seconds_until_warm >= 0) {
    constexpr double kMost = 1e12;
    status.seconds_until_warm =
        static_cast<std::uint64_t>(std::ceil(std::min(*seconds_until_warm, kMost)));
  } else if (status.running + status.queued == 0) {
    status.seconds_until_warm = 0;
  }
  status.conditions = {
      node.connected ? kube::MakeCondition(kAgentConnected, true, "Connected", "") : Away(),
      WarmCondition(status)};
  return status;
}

kube::Conditions AwayConditions(const kube::Conditions& told) {
  kube::Conditions conditions{Away()};
  for (const auto& condition : told) {
    if (condition.type != kAgentConnected) conditions.push_back(condition);
  }
  return conditions;
}

NodeCacheNews NewsIn(const NodeCacheStatus& told, const NodeCacheStatus& now) {
  const bool notable =
      told.connected != now.connected ||
      !std::ranges::equal(told.conditions, now.conditions, [](const auto& a, const auto& b) {
        return a.type == b.type && a.status == b.status && a.reason == b.reason;
      });
  if (notable) return NodeCacheNews::kNotable;
  const bool numbers = told.agent_version != now.agent_version || told.models != now.models ||
                       told.volumes != now.volumes || RoomMoved(told, now);
  return numbers ? NodeCacheNews::kNumbers : NodeCacheNews::kNone;
}

json::object NodeCacheStatusObject(const NodeCacheStatus& status) {
  json::object object{{"connected", status.connected},
                      {"agentVersion", ToUtf8(status.agent_version, kLongestWord)},
                      {"seenAt", nullptr},
                      {"directories", DirectoryArray(status.directories)},
                      {"volumes", VolumeArray(status.volumes)},
                      {"tasksRunning", Stored(status.running)},
                      {"tasksQueued", Stored(status.queued)},
                      {"secondsUntilWarm", nullptr},
                      {"models", ModelArray(status.models)},
                      {"conditions", kube::ToJson(status.conditions)}};
  if (status.seen_at) {
    object["seenAt"] = FormatRfc3339(std::chrono::floor<std::chrono::seconds>(*status.seen_at));
  }
  if (status.seconds_until_warm) object["secondsUntilWarm"] = Stored(*status.seconds_until_warm);
  return object;
}

}  // namespace prewarm::controller
