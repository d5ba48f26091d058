#include "controller/operator/node_marker.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "common/async/deadline.h"
#include "controller/demand/warm_label.h"
#include "controller/kube/objects.h"
#include "controller/operator/policy_object.h"
#include "controller/plan/forecast.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

constexpr auto kTick = std::chrono::seconds(1);
constexpr StatusPacer::Limits kMarks{std::chrono::seconds(1), 20};

kube::Resource Nodes() { return {"", "v1", "nodes"}; }

std::string WarmLabelOf(const demand::Deployment& deployment) {
  return demand::WarmLabel(deployment.name_space, deployment.name);
}

json::object ToJson(const demand::MarkChanges& changes) {
  json::object object;
  for (const auto& [key, value] : changes) {
    if (value) {
      object[key] = *value;
    } else {
      object[key] = nullptr;
    }
  }
  return object;
}

}  // namespace

NodeMarker::NodeMarker(Parts parts)
    : parts_(std::move(parts)), running_(parts_.executor), pacer_(kMarks, parts_.clock.Now()) {}

Task<void> NodeMarker::Run() {
  while (co_await SleepFor(kTick)) {
    if (parts_.view.synced()) Look();
  }
  running_.Stop();
  co_await running_.Join();
}

void NodeMarker::Look() {
  const auto now = parts_.clock.WallNow();
  const auto picture = Draw(now);
  const demand::NodeWarmth cold;
  std::vector<std::string> wanting;
  std::map<std::string, demand::NodeMarks> all;
  for (const auto* node : parts_.view.World().nodes) {
    if (busy_.contains(node->name) || node->deleting) continue;
    OpenGate(*node, picture, now);
    if (busy_.contains(node->name)) continue;  // its marks come with the next look
    const auto warmth = picture.warmth.find(node->name);
    auto marks = MarksToChange(*node, warmth == picture.warmth.end() ? cold : warmth->second, now);
    if (marks.empty()) continue;
    wanting.push_back(node->name);
    all[node->name] = std::move(marks);
  }
  for (auto& name : pacer_.Choose(wanting, parts_.clock.Now())) {
    busy_.insert(name);
    running_.Spawn("mark a node", Mark(name, std::move(all.at(name))));
  }
}

NodeMarker::Picture NodeMarker::Draw(WallTime now) const {
  Picture picture;
  const auto policies = parts_.view.Policies();
  for (const auto& [uid, workload] : Workloads(policies)) DrawWorkload(workload, now, picture);
  return picture;
}

std::map<std::string, NodeMarker::OfWorkload> NodeMarker::Workloads(
    const std::vector<demand::Policy>& policies) const {
  std::map<std::string, OfWorkload> workloads;
  for (const auto* workload : parts_.view.Workloads()) {
    auto& entry = workloads[workload->ref.uid];
    entry.policy =
        &demand::PolicyFor(workload->ref.name_space, ToLabels(workload->labels), policies);
    for (const auto& component : workload->components) {
      const auto* made = parts_.view.DeploymentOf(workload->ref, component.pod_labels);
      if (made != nullptr) entry.labels.insert(WarmLabelOf(made->deployment));
    }
  }
  // Of components that only the bento names, too.
  for (const auto* deployment : parts_.view.World().deployments) {
    const auto found = workloads.find(deployment->owner.uid);
    if (found != workloads.end()) found->second.labels.insert(WarmLabelOf(*deployment));
  }
  // A later one is of a newer version.
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    const auto& prewarm = job->prewarm;
    if (!prewarm.spec.workload || IsFinal(prewarm.state)) continue;
    const auto found = workloads.find(prewarm.spec.workload->uid);
    if (found != workloads.end()) found->second.newest[prewarm.spec.volume] = &prewarm;
  }
  return workloads;
}

void NodeMarker::DrawWorkload(const OfWorkload& workload, WallTime now, Picture& picture) const {
  struct OnNode {
    std::size_t visible = 0;  // of its prewarms
    bool failed = false;
    std::optional<double> seconds;  // until the last of them is
  };
  std::map<std::string, OnNode> nodes;
  const auto& predicted = parts_.reconciler.Predicted();
  for (const auto& [volume, prewarm] : workload.newest) {
    for (const auto& target : prewarm->spec.targets) {
      auto& on = nodes[target.node];
      const auto task = prewarm->tasks.find(target.node);
      if (task == prewarm->tasks.end()) continue;
      on.visible += task->second.state == TaskState::kVisible ? 1 : 0;
      on.failed |= task->second.state == TaskState::kFailed;
      const auto seconds = predicted.find({prewarm->id, target.node});
      if (seconds != predicted.end()) {
        on.seconds = std::max(on.seconds.value_or(0), seconds->second);
      }
    }
  }
  const bool gated = workload.policy->gate == demand::Policy::Gate::kStartupTaint;
  for (const auto& [name, on] : nodes) {
    const bool warm = on.visible == workload.newest.size();
    auto& warmth = picture.warmth[name];
    for (const auto& label : workload.labels) {
      if (warm) warmth.warm.insert(label);
      if (!warm && on.seconds) warmth.expected[label] = MomentIn(*on.seconds, now);
    }
    if (!gated) continue;
    auto& wish = picture.wishes[name];
    const auto timeout = workload.policy->gate_timeout;
    wish.timeout = wish.wanted ? std::max(wish.timeout, timeout) : timeout;
    wish.wanted = true;
    wish.pending |= !warm && !on.failed;
  }
}

void NodeMarker::OpenGate(const demand::Node& node, const Picture& picture, WallTime now) {
  const auto gate = demand::GateOf(node);
  if (!gate) return;
  const auto* agent = parts_.agents.Find(node.name);
  const auto wish = picture.wishes.find(node.name);
  auto why = demand::WhyOpen(node, agent != nullptr && agent->connected,
                             wish == picture.wishes.end() ? demand::GateWish() : wish->second, now);
  if (!why) return;
  auto path = kube::ObjectPath(Nodes(), {"", node.name});
  if (!path) return SayFailed(node.name, path.error());
  busy_.insert(node.name);
  running_.Spawn("open a gate", Untaint(node.name, *std::move(path), *gate, node.taints[*gate].key,
                                        *std::move(why)));
}

Task<void> NodeMarker::Mark(std::string node, demand::NodeMarks marks) {
  json::object metadata;
  if (!marks.labels.empty()) metadata["labels"] = ToJson(marks.labels);
  if (!marks.annotations.empty()) metadata["annotations"] = ToJson(marks.annotations);
  const auto marked = co_await kube::PatchObject(parts_.api, Nodes(), {"", node},
                                                 {{"metadata", std::move(metadata)}});
  if (!marked) SayFailed(node, marked.error());
  co_await SleepFor(kTick);  // it comes by the watch
  busy_.erase(node);
}

// Others change the taints of a new node, too: the test refuses what is not there any more, and the
// next look sees what is.
Task<void> NodeMarker::Untaint(std::string node, std::string object, std::size_t index,
                               std::string key, std::string why) {
  const auto taint = "/spec/taints/" + std::to_string(index);
  kube::KubeRequest request;
  request.method = kube::Method::kPatch;
  request.path = std::move(object);
  request.content_type = kube::ContentType::kJsonPatch;
  request.body = json::array{{{"op", "test"}, {"path", taint + "/key"}, {"value", key}},
                             {{"op", "remove"}, {"path", taint}}};
  const auto answer = co_await parts_.api.Send(std::move(request));
  if (!answer) {
    SayFailed(node, answer.error());
  } else if (answer->ok()) {
    parts_.log.Info("gate_opened", {{"node", node}, {"taint", key}, {"why", why}});
  } else if (answer->status != 422) {
    SayFailed(node, kube::ErrorOf(*answer, "taking the taint off node " + node));
  }
  co_await SleepFor(kTick);
  busy_.erase(node);
}

void NodeMarker::SayFailed(const std::string& node, const Error& error) {
  if (error.code == ErrorCode::kNotFound) return;
  if (error.code == ErrorCode::kPermission && std::exchange(forbidden_, true)) return;
  parts_.log.Warn("node_not_marked", {{"node", node}, {"why", error}});
}

}  // namespace prewarm::controller
