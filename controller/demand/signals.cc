#include "controller/demand/signals.h"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "common/base/units.h"

namespace prewarm::controller::demand {
namespace {

struct Rung {
  std::string_view name;
  std::int32_t lift;  // of 1000
};
// By SignalKind. Guesses are below facts. A bound pod is above a started one: it still can be had
// in time.
constexpr std::array<Rung, kSignalKinds> kLadder{{
    {"keep-warm", 0},
    {"rolling-update", 50},
    {"models-known", 0},
    {"deployment-known", 200},
    {"models-seeded", 200},
    {"bento-ready", 300},
    {"hpa-trend", 150},
    {"hpa-desired", 500},
    {"deployment-replicas", 500},
    {"pod-pending", 600},
    {"scale-up-triggered", 650},
    {"node-claimed", 650},
    {"node-joined", 700},
    {"pod-bound", 900},
    {"pod-started", 850},
}};
constexpr std::int32_t kMaxPriority = 1000;

std::string Plural(std::int64_t count, std::string_view word) {
  return std::to_string(count) + " " + std::string(word) + (count == 1 ? "" : "s");
}

// The ReplicaSet of the newest revision; nothing if there is none.
const ReplicaSet* Newest(const std::vector<const ReplicaSet*>& sets) {
  const auto newest = std::ranges::max_element(sets, {}, [](const ReplicaSet* set) {
    return std::tie(set->revision, set->created_at, set->name);
  });
  return newest == sets.end() ? nullptr : *newest;
}

// Which pods and ReplicaSets run the models in question.
class Versions {
 public:
  Versions(const ModelFacts& models, const WorkloadObjects& objects)
      : models_(models), newest_(Newest(objects.replica_sets)) {}

  [[nodiscard]] bool IsCurrent(const ReplicaSet& set) const {
    return ByLabels() ? models_.pods.Matches(set.labels) : &set == newest_;
  }
  [[nodiscard]] bool IsCurrent(const Pod& pod) const {
    if (ByLabels()) return models_.pods.Matches(pod.labels);
    return newest_ == nullptr || pod.owner_uid == newest_->uid;
  }

 private:
  [[nodiscard]] bool ByLabels() const { return !models_.pods.requirements.empty(); }

  const ModelFacts& models_;
  const ReplicaSet* newest_;
};

// The pods of one look, counted.
struct Pods {
  std::vector<const Pod*> bound;
  std::vector<const Pod*> pending;
  [[nodiscard]] std::int32_t Bound() const { return static_cast<std::int32_t>(bound.size()); }
  [[nodiscard]] std::int32_t All() const {
    return static_cast<std::int32_t>(bound.size() + pending.size());
  }
};

Pods CountPods(const Versions& versions, const WorkloadObjects& objects) {
  Pods pods;
  for (const auto* pod : objects.pods) {
    if (pod->deleting || !versions.IsCurrent(*pod)) continue;
    (pod->node.empty() ? pods.pending : pods.bound).push_back(pod);
  }
  return pods;
}

std::vector<OldRevision> OldRevisions(const Versions& versions, const WorkloadObjects& objects) {
  std::vector<OldRevision> old;
  for (const auto* set : objects.replica_sets) {
    if (versions.IsCurrent(*set) || set->Empty()) continue;
    OldRevision revision{
        set->template_hash, set->labels, std::max(set->replicas, set->current_replicas), {}};
    std::set<std::string> nodes;
    for (const auto* pod : objects.pods) {
      if (pod->owner_uid == set->uid && !pod->node.empty()) nodes.insert(pod->node);
    }
    revision.nodes.assign(nodes.begin(), nodes.end());
    old.push_back(std::move(revision));
  }
  std::ranges::sort(old, {}, &OldRevision::template_hash);
  return old;
}

std::optional<WallTime> Earliest(const std::vector<const Pod*>& pods,
                                 std::optional<WallTime> Pod::* time) {
  std::optional<WallTime> earliest;
  for (const auto* pod : pods) {
    const auto& at = pod->*time;
    if (at && (!earliest || *at < *earliest)) earliest = at;
  }
  return earliest;
}

// How many replicas there may be, and how many are meant to be.
struct Scale {
  std::int32_t min = 0;
  std::int32_t max = 0;
  std::int32_t desired = 0;
  bool by_hpa = false;  // the autoscaler says so
};

Scale ScaleOf(const ModelFacts& models, const WorkloadObjects& objects) {
  const auto* deployment = objects.deployment;
  const auto* hpa = objects.hpa;
  Scale scale{models.min_replicas, models.max_replicas, 0, false};
  if (hpa != nullptr) {
    scale.min = hpa->min_replicas;
    if (hpa->max_replicas > 0) scale.max = hpa->max_replicas;
    scale.desired = std::max(hpa->desired_replicas, scale.min);
    scale.by_hpa = true;
  }
  if (deployment != nullptr) {
    if (deployment->replicas == 0) {
      // Whoever set it to zero switched the autoscaler off with it.
      scale.min = scale.desired = 0;
    } else if (hpa == nullptr || deployment->replicas > scale.desired) {
      scale.desired = deployment->replicas;
      scale.by_hpa = false;
    }
    if (hpa == nullptr) scale.max = std::max(scale.max, deployment->replicas);
  }
  scale.max = std::max(scale.max, scale.min);
  scale.desired = std::min(scale.desired, scale.max);
  return scale;
}

// One look at one workload.
class Reading {
 public:
  Reading(const ModelFacts& models, const WorkloadObjects& objects, const Policy& policy,
          SignalMemory memory, WallTime now)
      : models_(models),
        objects_(objects),
        policy_(policy),
        now_(now),
        memory_(std::move(memory)),
        scale_(ScaleOf(models, objects)) {}

  Demand Read() && {
    const Versions versions(models_, objects_);
    pods_ = CountPods(versions, objects_);
    demand_.old_revisions = OldRevisions(versions, objects_);
    demand_.max_replicas = scale_.max;
    ReadModels();
    if (models_.wanted) {
      ReadTrend();
      ReadReplicas();
      ReadPods();
      ReadOldRevisions();
      ReadKeepWarm();
    }
    ForgetEnded();
    demand_.bound = std::move(pods_.bound);
    demand_.memory = std::move(memory_);
    return std::move(demand_);
  }

 private:
  // `at`: since when, where an object says so; else since it was seen first.
  void Raise(SignalKind kind, std::int32_t replicas, std::string words,
             std::optional<WallTime> at = {}) {
    auto& since = memory_.since[static_cast<std::size_t>(kind)];
    if (!since || at) since = at.value_or(now_);
    // Nothing is warmed before it is whole.
    if (!models_.seeded_at) replicas = 0;
    replicas = std::clamp(replicas, 0, scale_.max);
    demand_.replicas = std::max(demand_.replicas, replicas);
    demand_.signals.push_back(
        {kind, replicas, PriorityOf(kind, policy_.priority), *since, std::move(words)});
  }

  void ReadModels() {
    const auto least = Plural(scale_.min, "replica");
    const bool zero = scale_.min == 0;
    if (models_.known_at) {
      Raise(SignalKind::kModelsKnown, 0, "the models have names", models_.known_at);
    }
    if (!models_.wanted) return;
    const bool on_change = policy_.triggers.on_deployment_change && models_.seeded_at;
    Raise(SignalKind::kDeploymentKnown, on_change ? scale_.min : 0,
          zero ? "the workload runs no replicas" : "the workload runs at least " + least);
    if (models_.seeded_at && policy_.triggers.on_seeded) {
      Raise(SignalKind::kModelsSeeded, scale_.min, "the models are whole on their volume",
            models_.seeded_at);
    }
    if (models_.ready_at) {
      Raise(SignalKind::kBentoReady, on_change ? scale_.min : 0,
            "the bento is ready: its pods come next", models_.ready_at);
    }
  }

  void ReadTrend() {
    if (objects_.hpa == nullptr || !policy_.triggers.on_forecast || scale_.desired == 0) {
      memory_.trend = {};
      return;
    }
    const auto& hpa = *objects_.hpa;
    memory_.trend.Take(hpa, policy_.triggers.forecast_ratio, now_);
    const auto ratio = MetricRatio(hpa);
    const auto room = scale_.max - scale_.desired;
    if (!memory_.trend.rising || !ratio || room <= 0) return;
    const auto extra = std::min(policy_.triggers.forecast_extra_replicas, room);
    const auto replicas =
        std::max(scale_.desired + extra, ReplicasByRatio(hpa.current_replicas, *ratio));
    const auto percent = std::min(*ratio * 100, 1e6);
    Raise(SignalKind::kHpaTrend, replicas,
          "a metric of the autoscaler is at " + std::to_string(static_cast<int>(percent)) +
              " % of its target and grows");
  }

  void ReadReplicas() {
    if (scale_.desired <= pods_.Bound()) return;
    const auto words = " wants " + Plural(scale_.desired, "replica") + ", " +
                       std::to_string(pods_.Bound()) +
                       (pods_.Bound() == 1 ? " has a node" : " have a node");
    if (scale_.by_hpa) {
      Raise(SignalKind::kHpaDesired, scale_.desired, "the autoscaler" + words);
    } else {
      Raise(SignalKind::kDeploymentReplicas, scale_.desired, "the deployment" + words);
    }
  }

  void ReadPods() {
    if (!pods_.pending.empty() && policy_.triggers.on_pending_pod) {
      const auto count = Plural(static_cast<std::int64_t>(pods_.pending.size()), "pod");
      Raise(SignalKind::kPodPending, pods_.All(),
            count + (pods_.pending.size() == 1 ? " has no node yet" : " have no node yet"),
            Earliest(pods_.pending, &Pod::created_at));
      ReadScaleUps();
    }
    std::vector<const Pod*> waiting;
    std::vector<const Pod*> started;
    for (const auto* pod : pods_.bound) (pod->started_at ? started : waiting).push_back(pod);
    if (!waiting.empty()) {
      Raise(SignalKind::kPodBound, pods_.Bound(),
            Plural(static_cast<std::int64_t>(waiting.size()), "pod") + " bound and not started",
            Earliest(waiting, &Pod::bound_at));
    }
    if (!started.empty()) {
      Raise(SignalKind::kPodStarted, pods_.Bound(),
            Plural(static_cast<std::int64_t>(started.size()), "pod") + " started",
            Earliest(started, &Pod::started_at));
    }
  }

  void ReadScaleUps() {
    std::set<std::string_view> groups;
    std::optional<WallTime> first;
    bool any = false;
    for (const auto* event : objects_.scale_ups) {
      const bool waits = std::ranges::any_of(
          pods_.pending, [&](const Pod* pod) { return pod->uid == event->pod_uid; });
      if (!waits) continue;
      any = true;
      for (const auto& group : event->groups) groups.insert(group.name);
      if (event->at && (!first || *event->at < *first)) first = event->at;
    }
    if (!any) return;
    std::string words = "the cluster autoscaler makes nodes";
    for (const auto group : groups) {
      words += (group == *groups.begin() ? " in " : ", ") + std::string(group);
    }
    Raise(SignalKind::kScaleUpTriggered, pods_.All(), std::move(words), first);
  }

  void ReadOldRevisions() {
    if (demand_.old_revisions.empty()) return;
    Raise(SignalKind::kRollingUpdate, 0,
          Plural(static_cast<std::int64_t>(demand_.old_revisions.size()), "version") +
              " from before still " + (demand_.old_revisions.size() == 1 ? "runs" : "run"));
  }

  // What was wanted lately stays warm for a while, and a few nodes always; guesses do not count.
  void ReadKeepWarm() {
    if (!models_.seeded_at) return;
    const auto wanted = std::min(std::max(scale_.desired, pods_.All()), scale_.max);
    const auto peak = TakePeak(wanted);
    const auto floor = std::min(policy_.keep_nodes, scale_.max);
    const auto kept = std::max(peak, floor);
    if (kept <= wanted && floor == 0) return;
    Raise(SignalKind::kKeepWarm, kept,
          peak > std::max(wanted, floor) ? "up to " + Plural(peak, "replica") + " ran lately"
                                         : "the policy keeps " + Plural(floor, "node") + " warm");
  }

  // The most that was wanted within the policy's time, with this look.
  std::int32_t TakePeak(std::int32_t wanted) {
    constexpr std::size_t kMaxPeaks = 16;
    auto& peaks = memory_.peaks;
    while (!peaks.empty() && peaks.back().replicas <= wanted) peaks.pop_back();
    // A step too many: the lower one is counted as the higher.
    if (peaks.size() == kMaxPeaks) {
      peaks.back().last = now_;
    } else {
      peaks.push_back({wanted, now_});
    }
    std::erase_if(peaks, [&](const SignalMemory::Peak& peak) {
      return peak.last > now_ || now_ - peak.last > policy_.keep_after_scale_down;
    });
    return peaks.empty() ? wanted : std::min(peaks.front().replicas, scale_.max);
  }

  void ForgetEnded() {
    for (std::size_t kind = 0; kind < kSignalKinds; ++kind) {
      if (demand_.Find(static_cast<SignalKind>(kind)) == nullptr) memory_.since[kind].reset();
    }
    std::ranges::sort(demand_.signals, {}, &Signal::kind);
  }

  const ModelFacts& models_;
  const WorkloadObjects& objects_;
  const Policy& policy_;
  const WallTime now_;
  SignalMemory memory_;
  const Scale scale_;
  Pods pods_;
  Demand demand_;
};

}  // namespace

std::string_view SignalName(SignalKind kind) {
  return kLadder[static_cast<std::size_t>(kind)].name;
}

std::int32_t PriorityOf(SignalKind kind, std::int32_t base) {
  const auto lift = kLadder[static_cast<std::size_t>(kind)].lift;
  const auto floor = std::clamp(base, 0, kMaxPriority);
  return floor + (kMaxPriority - floor) * lift / kMaxPriority;
}

const Signal* Demand::Find(SignalKind kind) const {
  const auto at = std::ranges::find(signals, kind, &Signal::kind);
  return at == signals.end() ? nullptr : &*at;
}

Demand ReadSignals(const ModelFacts& models, const WorkloadObjects& objects, const Policy& policy,
                   SignalMemory memory, WallTime now) {
  if (policy.suspend) return {};
  return Reading(models, objects, policy, std::move(memory), now).Read();
}

}  // namespace prewarm::controller::demand
