#include "controller/demand/targets.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "controller/demand/candidates.h"
#include "controller/demand/spread.h"

namespace prewarm::controller::demand {
namespace {

// How many nodes are wanted besides those with bound pods, and how many there may be.
struct Wanted {
  std::int32_t more = 0;    // as the signals say
  std::int32_t joined = 0;  // with those that just come
};

Wanted HowMany(const TargetRequest& request, std::size_t bound_nodes) {
  const auto& demand = *request.demand;
  const auto pods = static_cast<std::int32_t>(demand.bound.size());
  const auto nodes = static_cast<std::int32_t>(bound_nodes);
  const auto cap = request.policy->max_nodes == 0 ? std::numeric_limits<std::int32_t>::max()
                                                  : std::max(request.policy->max_nodes - nodes, 0);
  std::int32_t more = std::max(demand.replicas - pods, 0);
  // Replicas that share a node need one set of models, but the policy keeps a number of nodes.
  if (demand.Find(SignalKind::kKeepWarm) != nullptr) {
    more = std::max(more, std::min(request.policy->keep_nodes, demand.max_replicas) - nodes);
  }
  return {std::min(more, cap), std::min(std::max(demand.max_replicas - pods, 0), cap)};
}

// A node that was chosen stays chosen while it can take pods, or plans would flap. What is only
// chosen because it is new gives way to what is chosen as one of the best: so an unchanged world
// gives an unchanged answer.
auto Loyalty(const Candidate& candidate) {
  return std::pair(!candidate.previous, candidate.previous && candidate.fresh);
}

// Takes the best candidates one by one.
class Picker {
 public:
  // Both outlive this.
  Picker(const std::vector<Candidate>& candidates, Spread& spread) : spread_(spread) {
    waiting_.reserve(candidates.size());
    for (const auto& it : candidates) {
      waiting_.push_back({&it, spread.PositionOf(*it.state->node), false});
    }
    std::ranges::sort(waiting_, [](const Waiting& a, const Waiting& b) {
      if (Loyalty(*a.candidate) != Loyalty(*b.candidate)) {
        return Loyalty(*a.candidate) < Loyalty(*b.candidate);
      }
      return BetterThan(*a.candidate, *b.candidate);
    });
  }

  // Until `count` are picked, or none is left that may be.
  void PickUntil(std::size_t count, bool fresh_only) {
    first_ = 0;  // those before it are picked, or not fresh
    while (picked_.size() < count) {
      auto* best = Best(fresh_only);
      if (best == nullptr) return;
      best->picked = true;
      spread_.Place(best->position);
      picked_.push_back(*best->candidate);
    }
  }

  [[nodiscard]] const std::vector<Candidate>& picked() const { return picked_; }

 private:
  struct Waiting {
    const Candidate* candidate = nullptr;
    Spread::Position position;
    bool picked = false;
  };

  Waiting* Best(bool fresh_only) {
    const auto eligible = [&](const Waiting& it) {
      return !it.picked && (!fresh_only || it.candidate->fresh);
    };
    while (first_ < waiting_.size() && !eligible(waiting_[first_])) ++first_;
    Waiting* best = nullptr;
    for (std::size_t i = first_; i < waiting_.size(); ++i) {
      auto& it = waiting_[i];
      if (best != nullptr && !EqualButDomain(it, *best)) break;  // sorted: the rest is worse
      if (!eligible(it) || !spread_.Allows(it.position)) continue;
      if (best == nullptr || spread_.Crowding(it.position) < spread_.Crowding(best->position)) {
        best = &it;
      }
      if (spread_.empty()) break;
    }
    return best;
  }

  // As good as each other in everything that counts more than how crowded the domain is.
  static bool EqualButDomain(const Waiting& a, const Waiting& b) {
    auto merit = a.candidate->merit;
    merit.spot = b.candidate->merit.spot;
    return Loyalty(*a.candidate) == Loyalty(*b.candidate) && merit == b.candidate->merit;
  }

  Spread& spread_;
  std::vector<Waiting> waiting_;
  std::size_t first_ = 0;
  std::vector<Candidate> picked_;
};

class Choosing {
 public:
  Choosing(const ClusterIndex& cluster, const TargetRequest& request, const CacheOf& cache_of)
      : cluster_(cluster), request_(request), cache_of_(cache_of) {}

  TargetPlan Choose() && {
    AddOldRevisions();
    if (request_.demand->replicas > 0) {
      std::set<std::string_view> taken;
      for (const auto* pod : request_.demand->bound) taken.insert(pod->node);
      const auto wanted = HowMany(request_, taken.size());
      Candidates candidates(cluster_, request_, cache_of_, taken, WhichCount(wanted));
      AddBound(candidates);
      AddBest(candidates, wanted, taken.size());
    }
    std::ranges::sort(plan_.targets, [](const Target& a, const Target& b) {
      return std::tie(b.priority, a.node, a.revision) < std::tie(a.priority, b.node, b.revision);
    });
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool IsGoing(std::string_view node) const {
    const auto* state = cluster_.FindNode(node);
    return state != nullptr && state->phase.kind == NodePhase::Kind::kGoing;
  }

  // Most workloads want nothing that they do not have, and are not to cost a look at each node.
  [[nodiscard]] Candidates::Which WhichCount(const Wanted& wanted) const {
    if (wanted.more > 0) return Candidates::Which::kAll;
    return request_.policy->triggers.on_node_join ? Candidates::Which::kFresh
                                                  : Candidates::Which::kNone;
  }

  void AddTarget(std::string node, SignalKind signal, std::string why) {
    const auto priority = PriorityOf(signal, request_.policy->priority);
    plan_.targets.push_back({std::move(node), {}, priority, signal, std::move(why)});
  }

  void AddOldRevisions() {
    const auto priority = PriorityOf(SignalKind::kRollingUpdate, request_.policy->priority);
    for (const auto& old : request_.demand->old_revisions) {
      for (const auto& node : old.nodes) {
        if (IsGoing(node)) continue;
        plan_.targets.push_back({node, old.template_hash, priority, SignalKind::kRollingUpdate,
                                 "pods of the version before still run on it"});
      }
    }
  }

  // Where pods are, whatever the node's taints say of new ones.
  void AddBound(Candidates& candidates) {
    std::map<std::string_view, const Pod*> first;  // by node; one that waits before one that runs
    for (const auto* pod : request_.demand->bound) {
      auto& shown = first[pod->node];
      if (shown == nullptr || (shown->started_at && !pod->started_at)) shown = pod;
    }
    for (const auto& [node, pod] : first) {
      if (IsGoing(node)) {
        candidates.rejections().Add(*cluster_.FindNode(node), Refusal{Refusal::Kind::kPhase});
        continue;
      }
      AddTarget(std::string(node),
                pod->started_at ? SignalKind::kPodStarted : SignalKind::kPodBound,
                "pod " + pod->name + (pod->started_at ? " runs on it" : " is bound to it"));
    }
  }

  void AddBest(Candidates& candidates, const Wanted& wanted, std::size_t bound_nodes) {
    const auto more = static_cast<std::size_t>(std::max(wanted.more, 0));
    Spread spread(*request_.constraints, cluster_, request_.objects->pods);
    Picker picker(candidates.list(), spread);
    picker.PickUntil(more, false);
    if (request_.policy->triggers.on_node_join) {
      picker.PickUntil(static_cast<std::size_t>(wanted.joined), true);
    }
    auto picked = picker.picked();
    const auto spread_out = candidates.list().size() - picked.size();
    // Who gets the most urgent reason must not depend on what was chosen before.
    std::ranges::sort(picked, BetterThan);
    for (std::size_t i = 0; i < picked.size(); ++i) AddPicked(picked[i], i);
    plan_.wanted_nodes = static_cast<std::int32_t>(bound_nodes + more);
    plan_.rejected = candidates.rejections().Sorted();
    plan_.expected = candidates.expected();
    if (picked.size() < more) SayUnmet(bound_nodes + picked.size(), spread_out);
  }

  // The most urgent signal that asks for one more replica than `index` beyond the bound ones.
  [[nodiscard]] const Signal* SignalFor(std::size_t index) const {
    const auto number = static_cast<std::int64_t>(request_.demand->bound.size() + index + 1);
    const Signal* best = nullptr;
    for (const auto& signal : request_.demand->signals) {
      if (signal.replicas < number) continue;
      if (best == nullptr || signal.priority > best->priority) best = &signal;
    }
    return best;
  }

  void AddPicked(const Candidate& candidate, std::size_t index) {
    const auto& name = candidate.state->node->name;
    const auto* signal = SignalFor(index);
    const bool joins = candidate.fresh && request_.policy->triggers.on_node_join;
    if (!joins) {
      AddTarget(name, signal == nullptr ? SignalKind::kKeepWarm : signal->kind,
                signal == nullptr ? "the policy keeps it warm" : signal->words);
      return;
    }
    const auto kind = candidate.claimed ? SignalKind::kNodeClaimed : SignalKind::kNodeJoined;
    std::string why = candidate.claimed ? "it is promised" : "it joins the cluster";
    if (signal != nullptr) why += "; " + signal->words;
    AddTarget(name, kind, std::move(why));
    // A node that nobody waits for is a guess.
    const auto base = request_.policy->priority;
    const auto asked = signal == nullptr ? 0 : signal->priority;
    if (asked < PriorityOf(SignalKind::kHpaDesired, base)) {
      plan_.targets.back().priority = std::max(asked, PriorityOf(SignalKind::kHpaTrend, base));
    }
  }

  void SayUnmet(std::size_t met, std::size_t spread_out) {
    auto& words = plan_.unmet;
    words = std::to_string(plan_.wanted_nodes) +
            (plan_.wanted_nodes == 1 ? " node wanted, " : " nodes wanted, ") + std::to_string(met) +
            " can take it";
    std::string reasons;
    const auto add = [&](std::size_t count, const std::string& reason) {
      reasons += (reasons.empty() ? "" : "; ") + std::to_string(count) + ": " + reason;
    };
    constexpr std::size_t kShownReasons = 5;
    for (const auto& rejected : plan_.rejected) {
      if (&rejected - plan_.rejected.data() == kShownReasons) break;
      add(rejected.count, rejected.reason);
    }
    if (spread_out > 0) add(spread_out, "pods may not be spread that unevenly");
    if (!plan_.expected.empty()) add(plan_.expected.size(), "promised and not there yet");
    if (!reasons.empty()) words += " (" + reasons + ")";
  }

  const ClusterIndex& cluster_;
  const TargetRequest& request_;
  const CacheOf& cache_of_;
  TargetPlan plan_;
};

}  // namespace

DiskClass DiskClassNamed(std::string_view name) {
  if (name == "nvme") return DiskClass::kLocalNvme;
  if (name == "ssd" || name == "hdd") return DiskClass::kLocal;
  if (name == "network") return DiskClass::kNetwork;
  if (name == "memory") return DiskClass::kMemory;
  if (name == "boot") return DiskClass::kBoot;
  return DiskClass::kUnknown;
}

TargetPlan ChooseTargets(const ClusterIndex& cluster, const TargetRequest& request,
                         const CacheOf& cache_of) {
  if (request.policy->suspend) return {};
  return Choosing(cluster, request, cache_of).Choose();
}

}  // namespace prewarm::controller::demand
