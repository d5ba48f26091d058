#include "controller/demand/lead_times.h"

#include <algorithm>

namespace prewarm::controller::demand {
namespace {

constexpr auto kCutOff = std::chrono::seconds(1);  // of the cluster's moments

std::optional<std::chrono::nanoseconds> Between(std::optional<WallTime> from,
                                                std::optional<WallTime> to) {
  if (!from || !to) return std::nullopt;
  return *to - *from;
}

void Tell(std::optional<std::chrono::nanoseconds> time,
          std::vector<std::chrono::nanoseconds>& into) {
  if (time) into.push_back(*time);
}

const TargetNow* FindTarget(std::span<const TargetNow> targets, std::string_view node) {
  const auto at = std::ranges::find(targets, node, &TargetNow::node);
  return at == targets.end() ? nullptr : &*at;
}

Arrival WhyNotWarm(const WorkloadNow& workload, const TargetNow* target, bool was_chosen) {
  if (workload.obstacle) return *workload.obstacle;
  if (target != nullptr && !target->has_agent) return Arrival::kNoAgent;
  if (target == nullptr || !was_chosen) return Arrival::kNotChosen;
  return target->failed ? Arrival::kFailed : Arrival::kStillWarming;
}

}  // namespace

std::string_view ArrivalName(Arrival arrival) {
  switch (arrival) {
    case Arrival::kWarm: return "warm";
    case Arrival::kStillWarming: return "still-warming";
    case Arrival::kFailed: return "failed";
    case Arrival::kNoAgent: return "no-agent";
    case Arrival::kNotChosen: return "not-chosen";
    case Arrival::kNotSeeded: return "not-seeded";
    case Arrival::kUnresolved: return "unresolved";
  }
  return "unresolved";
}

std::optional<std::chrono::nanoseconds> PodTimeline::LeadToBound() const {
  return Between(warm_at, bound_at);
}

std::optional<std::chrono::nanoseconds> PodTimeline::LeadToStart() const {
  return Between(warm_at, started_at);
}

LeadTimes::News LeadTimes::Look(const WorkloadNow& workload) {
  if (version_ != workload.version) {
    version_ = workload.version;
    nodes_.clear();
    pods_.clear();
  }
  News news;
  const auto newcomers = Newcomers(workload.bound);
  TakeTargets(workload, news);
  for (const auto& newcomer : newcomers) Judge(newcomer, workload, news);
  for (auto& [uid, record] : pods_) record.seen = false;
  for (const auto* pod : workload.bound) {
    const auto at = pods_.find(pod->uid);
    if (at == pods_.end()) continue;
    at->second.seen = true;
    Follow(at->second, *pod, news);
  }
  std::erase_if(pods_, [](const auto& record) { return !record.second.seen; });
  previous_ = workload.now;
  return news;
}

std::vector<LeadTimes::Newcomer> LeadTimes::Newcomers(std::span<const Pod* const> bound) const {
  std::vector<Newcomer> newcomers;
  for (const auto* pod : bound) {
    if (pods_.contains(pod->uid) || pods_.size() + newcomers.size() >= kMaxPods) continue;
    if (!pod->bound_at || *pod->bound_at + kCutOff <= since_) continue;
    Newcomer newcomer{.pod = pod};
    if (const auto node = nodes_.find(pod->node); node != nodes_.end()) {
      const bool looked_before_it_was_bound = *pod->bound_at + kCutOff > previous_;
      newcomer.node_was_warm = node->second.warm_at && looked_before_it_was_bound;
      newcomer.node_was_chosen = true;
    }
    newcomers.push_back(newcomer);
  }
  return newcomers;
}

void LeadTimes::TakeTargets(const WorkloadNow& workload, News& news) {
  for (auto& [node, record] : nodes_) record.seen = false;
  for (const auto& target : workload.targets) {
    auto at = nodes_.find(target.node);
    if (at == nodes_.end()) {
      if (nodes_.size() >= kMaxNodes) continue;
      at = nodes_.emplace(std::string(target.node), NodeRecord{}).first;
      if (!target.chosen_before) at->second.decided_at = workload.now;
    }
    auto& record = at->second;
    record.seen = true;
    if (!record.warm_at && target.warm_at) {
      const auto took = Between(record.decided_at, target.warm_at);
      // What was there already when it was decided took no time.
      if (took) news.decision_to_warm.push_back(std::max(*took, std::chrono::nanoseconds(0)));
    } else if (record.warm_at && !target.warm_at) {
      record.decided_at = workload.now;  // other bytes are needed from now on
    }
    if (!target.warm_at || !record.warm_at) record.warm_at = target.warm_at;
  }
  std::erase_if(nodes_, [](const auto& node) { return !node.second.seen; });
}

void LeadTimes::Judge(const Newcomer& newcomer, const WorkloadNow& workload, News& news) {
  const auto& pod = *newcomer.pod;
  const auto* target = FindTarget(workload.targets, pod.node);
  const auto told = *pod.bound_at;
  PodRecord record;
  auto& timeline = record.timeline;
  timeline.pod = pod.name;
  timeline.node = pod.node;
  if (const auto node = nodes_.find(pod.node); node != nodes_.end()) {
    timeline.decided_at = node->second.decided_at;
    timeline.warm_at = node->second.warm_at;
  }
  const bool was_warm = newcomer.node_was_warm && timeline.warm_at;
  timeline.bound_at = was_warm ? std::clamp(workload.now, told, told + kCutOff) : told;
  const bool warm = was_warm || (timeline.warm_at && *timeline.warm_at <= told);
  timeline.arrival = warm ? Arrival::kWarm : WhyNotWarm(workload, target, newcomer.node_was_chosen);
  ++arrivals_[static_cast<std::size_t>(timeline.arrival)];
  const auto waited = Between(timeline.decided_at, timeline.bound_at);
  if (waited) news.decision_to_bound.push_back(std::max(*waited, std::chrono::nanoseconds(0)));
  news.arrived.push_back(timeline);
  pods_.emplace(pod.uid, std::move(record));
}

void LeadTimes::Follow(PodRecord& record, const Pod& pod, News& news) const {
  auto& timeline = record.timeline;
  if (!timeline.warm_at) {
    if (const auto node = nodes_.find(timeline.node); node != nodes_.end()) {
      timeline.warm_at = node->second.warm_at;
    }
  }
  if (!timeline.started_at) timeline.started_at = pod.started_at;
  if (timeline.warm_at && !record.told_lead_to_bound) {
    record.told_lead_to_bound = true;
    Tell(timeline.LeadToBound(), news.lead_to_bound);
  }
  if (timeline.started_at && !record.told_start) {
    record.told_start = true;
    const auto took = Between(timeline.decided_at, timeline.started_at);
    if (took) news.decision_to_start.push_back(std::max(*took, std::chrono::nanoseconds(0)));
  }
  if (timeline.started_at && timeline.warm_at && !record.told_lead_to_start) {
    record.told_lead_to_start = true;
    Tell(timeline.LeadToStart(), news.lead_to_start);
  }
}

const PodTimeline* LeadTimes::Newest() const {
  const auto newest = std::ranges::max_element(
      pods_, {}, [](const auto& record) { return record.second.timeline.bound_at; });
  return newest == pods_.end() ? nullptr : &newest->second.timeline;
}

std::optional<std::chrono::nanoseconds> LeadTimes::LeastLead() const {
  std::optional<std::chrono::nanoseconds> least;
  for (const auto& [uid, record] : pods_) {
    const auto lead = record.timeline.LeadToBound();
    if (lead && (!least || *lead < *least)) least = lead;
  }
  return least;
}

}  // namespace prewarm::controller::demand
