#include "controller/operator/node_caches.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "common/async/deadline.h"
#include "controller/jobs/prewarm_object.h"
#include "controller/kube/objects.h"

namespace prewarm::controller {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
// Agents dial a new leader within a few seconds; before that one that is not there says nothing.
constexpr auto kAgentsComeBack = std::chrono::seconds(30);
constexpr StatusPacer::Limits kNumbers{std::chrono::seconds(30), 20};
constexpr StatusPacer::Limits kNotable{std::chrono::seconds(1), 30};
constexpr std::size_t kAtOnce = 16;

kube::Resource Resource() { return {kPrewarmGroup, kPrewarmVersion, "nodecaches"}; }

kube::ReflectorRequest AllNodeCaches() {
  kube::ReflectorRequest request;
  request.resource = Resource();
  return request;
}

}  // namespace

NodeCaches::NodeCaches(Parts parts)
    : parts_(std::move(parts)),
      objects_(
          parts_.api, parts_.clock, AllNodeCaches(),
          [](const boost::json::object& object) {
            return std::optional(ReadNodeCacheObject(object));
          },
          {[](const kube::ObjectKey&) {}, [] {}, {}}, parts_.seed),
      running_(parts_.executor),
      pacer_(kNumbers, parts_.clock.Now()),
      at_once_(kNotable, parts_.clock.Now()) {}

Task<void> NodeCaches::Run() {
  since_ = parts_.clock.Now();
  running_.Spawn("watch node caches", objects_.Run());
  while (co_await SleepFor(kTick)) {
    if (objects_.synced() && parts_.view.synced()) Look();
  }
  running_.Stop();
  co_await running_.Join();
}

NodeCaches::Picture NodeCaches::Draw() const {
  Picture picture;
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    const auto& prewarm = job->prewarm;
    if (IsFinal(prewarm.state) && prewarm.state != PrewarmState::kSucceeded) continue;
    const auto name = ObjectNameOf(prewarm.id, prewarm.name_space);
    if (!name) continue;
    for (const auto& [node, task] : prewarm.tasks) {
      const auto& progress = task.progress;
      picture.models[node].push_back({prewarm.name_space, *name, prewarm.spec.volume, task.state,
                                      progress.planned_bytes,
                                      progress.planned_bytes - progress.MissingBytes()});
    }
  }
  for (auto& [node, models] : picture.models) {
    std::ranges::sort(models, {}, [](const auto& model) {
      return std::pair<std::string_view, std::string_view>(model.name_space, model.prewarm);
    });
  }
  for (const auto& [task, seconds] : parts_.reconciler.Predicted()) {
    auto& last = picture.seconds[task.second];
    last = std::max(last, seconds);
  }
  for (const auto& [name, volume] : parts_.volumes) {
    if (volume->descriptor()) picture.names[volume->descriptor()->uuid] = name;
  }
  return picture;
}

void NodeCaches::Look() {
  auto picture = Draw();
  Wanting wanting;
  for (const auto& node : parts_.agents.Nodes()) LookAt(node, picture, wanting);
  if (Settled()) LookForGone();
  const auto now = parts_.clock.Now();
  auto chosen = at_once_.Choose(wanting.notable, now);
  for (const auto& name : chosen) pacer_.Written(name, now);
  std::ranges::move(pacer_.Choose(wanting.numbers, now), std::back_inserter(chosen));
  for (auto& name : chosen) {
    told_[name].busy = true;
    running_.Spawn("tell of a node", Tell(name, std::move(wanting.status.at(name))));
  }
}

bool NodeCaches::Settled() const { return parts_.clock.Now() - since_ >= kAgentsComeBack; }

void NodeCaches::LookAt(const Node& node, Picture& picture, Wanting& wanting) {
  const auto* of_cluster = parts_.view.FindNode(node.name);
  if (!node.connected && (of_cluster == nullptr || !Settled())) return;
  auto& told = told_[node.name];
  if (told.busy) return;
  const auto* object = objects_.Find({"", node.name});
  if (object == nullptr) {
    if (running_.running() > kAtOnce) return;
    told.busy = true;
    told.status.reset();
    const auto uid = of_cluster == nullptr ? std::string() : of_cluster->uid;
    running_.Spawn("make a node cache", Make(node.name, uid));
    return;
  }
  const auto seconds = picture.seconds.find(node.name);
  auto status =
      NodeCacheOf(node, std::move(picture.models[node.name]), picture.names,
                  seconds == picture.seconds.end() ? std::nullopt : std::optional(seconds->second));
  auto news = NodeCacheNews::kNumbers;  // what an earlier leader told is not known in full
  if (told.status) news = NewsIn(*told.status, status);
  if (object->connected != status.connected) news = NodeCacheNews::kNotable;
  if (news == NodeCacheNews::kNone) return;
  kube::Follow(object->conditions, status.conditions, 0, parts_.clock.WallNow());
  (news == NodeCacheNews::kNotable ? wanting.notable : wanting.numbers).push_back(node.name);
  wanting.status[node.name] = std::move(status);
}

// Of nodes whose agents this leader does not see.
void NodeCaches::LookForGone() {
  for (const auto& [key, object] : objects_.objects()) {
    if (running_.running() > kAtOnce) return;
    const auto* agent = parts_.agents.Find(key.name);
    auto& told = told_[key.name];
    if (told.busy || (agent != nullptr && agent->connected)) continue;
    if (parts_.view.FindNode(key.name) == nullptr) {
      told.busy = true;
      running_.Spawn("delete a node cache", Delete(key.name));
    } else if (agent == nullptr && object.connected) {
      auto conditions = AwayConditions(object.conditions);
      kube::Follow(object.conditions, conditions, 0, parts_.clock.WallNow());
      boost::json::object status{{"connected", false}, {"conditions", kube::ToJson(conditions)}};
      told.busy = true;
      running_.Spawn("tell of a node", Write(key.name, std::move(status), std::nullopt));
    }
  }
}

Task<void> NodeCaches::Make(std::string name, std::string node_uid) {
  boost::json::object metadata{{"name", name}};
  if (!node_uid.empty()) {
    metadata["ownerReferences"] = boost::json::array{
        {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", name}, {"uid", node_uid}}};
  }
  boost::json::object object{{"apiVersion", kube::ApiVersion(Resource())},
                             {"kind", "NodeCache"},
                             {"metadata", std::move(metadata)},
                             {"spec", boost::json::object()}};
  const auto made = co_await kube::ApplyObject(parts_.api, Resource(), {"", name},
                                               std::move(object), {kMadeByUs, true, ""});
  if (!made) parts_.log.Warn("node_cache_not_made", {{"node", name}, {"why", made.error()}});
  co_await SleepFor(kTick);  // it comes by the watch
  told_[name].busy = false;
}

Task<void> NodeCaches::Tell(std::string name, NodeCacheStatus status) {
  auto object = NodeCacheStatusObject(status);
  co_await Write(std::move(name), std::move(object), std::move(status));
}

Task<void> NodeCaches::Write(std::string name, boost::json::object status,
                             std::optional<NodeCacheStatus> says) {
  const auto* object = objects_.Find({"", name});
  // Only onto what was looked at: the version refuses a leader that does not know yet that it is
  // none any more.
  boost::json::object patch{{"status", std::move(status)}};
  if (object != nullptr) {
    patch["metadata"] = boost::json::object{{"resourceVersion", object->resource_version}};
    const auto written =
        co_await kube::PatchObject(parts_.api, Resource(), {"", name}, std::move(patch), "status");
    auto& told = told_[name];
    if (written) {
      told.status = std::move(says);
    } else if (written.error().code != ErrorCode::kConflict &&
               written.error().code != ErrorCode::kNotFound) {
      parts_.log.Warn("node_cache_not_told", {{"node", name}, {"why", written.error()}});
    }
  }
  told_[name].busy = false;
}

Task<void> NodeCaches::Delete(std::string name) {
  const auto gone = co_await kube::DeleteObject(parts_.api, Resource(), {"", name}, {});
  if (!gone && gone.error().code != ErrorCode::kNotFound) {
    parts_.log.Warn("node_cache_not_deleted", {{"node", name}, {"why", gone.error()}});
  }
  co_await SleepFor(kTick);
  told_.erase(name);
  pacer_.Forget(name);
  at_once_.Forget(name);
}

}  // namespace prewarm::controller
