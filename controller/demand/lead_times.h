// How long before its pods each node of a workload was warm, and why it was not where it was not:
// what "warm ahead of demand" is measured by. Fed with what is, look after look; says each thing
// once. Pure value.
//
// The cluster tells the moment of a binding in whole seconds, cut off. Where an earlier look has
// seen the node warm and the pod not bound, their order is known and the moment is that of the
// look; elsewhere it is the second as it was told, so that no node is called warm too early.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

// How a pod found the node that it was bound to.
enum class Arrival : std::uint8_t {
  kWarm,
  kStillWarming,  // the node was chosen before; its bytes were on their way
  kFailed,        // the node was chosen before, but what was to warm it has failed
  kNoAgent,       // nobody could warm the node: no agent of it is connected
  kNotChosen,     // the node was chosen when the pod was bound to it, or is none of the targets
  kNotSeeded,     // the models were not whole on their volume
  kUnresolved,    // it was not known which models the workload needs, or where they are
};
inline constexpr std::size_t kArrivals = 7;
std::string_view ArrivalName(Arrival arrival);  // "warm", "still-warming": stable, exported

// A node that is to be warm for the workload, as it is now.
struct TargetNow {
  std::string_view node;
  // All bytes are visible, since then at the latest; nothing: they are not. The first word counts.
  std::optional<WallTime> warm_at{};
  bool has_agent = true;
  bool failed = false;
  bool chosen_before = false;  // by whoever looked before the first look: the moment is not known
};

struct WorkloadNow {
  WallTime now;
  std::string_view version;         // another one begins anew
  std::optional<Arrival> obstacle;  // why nothing can be warmed for it: kNotSeeded, kUnresolved
  std::span<const TargetNow> targets;
  std::span<const Pod* const> bound;  // pods of this version that have a node
};

struct PodTimeline {
  std::string pod;
  std::string node;
  Arrival arrival = Arrival::kWarm;
  std::optional<WallTime> decided_at;  // to warm the node; also after the pod; nothing: not known
  std::optional<WallTime> warm_at;
  WallTime bound_at;
  std::optional<WallTime> started_at;
  bool operator==(const PodTimeline&) const = default;

  // How long before the pod was bound the node was warm; negative: so much too late.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> LeadToBound() const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> LeadToStart() const;
};

// Bounded: nodes beyond kMaxNodes and pods beyond kMaxPods are not recorded.
class LeadTimes {
 public:
  static constexpr std::size_t kMaxNodes = 1000;
  static constexpr std::size_t kMaxPods = 1000;

  // Pods that were bound before `since` are not judged: nobody knows what was then. Nor are pods
  // that no scheduler has bound.
  explicit LeadTimes(WallTime since) : since_(since) {}

  // What became known by this look.
  struct News {
    std::vector<PodTimeline> arrived;
    std::vector<std::chrono::nanoseconds> decision_to_warm;
    std::vector<std::chrono::nanoseconds> decision_to_bound;
    std::vector<std::chrono::nanoseconds> decision_to_start;
    std::vector<std::chrono::nanoseconds> lead_to_bound;
    std::vector<std::chrono::nanoseconds> lead_to_start;
  };
  News Look(const WorkloadNow& workload);

  // The pod that was bound last; nullptr: none was judged. Holds until the next look.
  [[nodiscard]] const PodTimeline* Newest() const;
  // The least of the pods that are there.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> LeastLead() const;
  // Pods judged so far, by how they arrived.
  [[nodiscard]] const std::array<std::uint64_t, kArrivals>& arrivals() const { return arrivals_; }

 private:
  struct NodeRecord {
    std::optional<WallTime> decided_at;
    std::optional<WallTime> warm_at;
    bool seen = false;  // by the look under way
  };
  struct PodRecord {
    PodTimeline timeline;
    bool told_lead_to_bound = false;
    bool told_start = false;
    bool told_lead_to_start = false;
    bool seen = false;
  };

  using PodRecords = std::map<std::string, PodRecord, std::less<>>;
  // Pods whose binding is new, with what was known of their nodes before this look.
  struct Newcomer {
    const Pod* pod = nullptr;
    bool node_was_warm = false;
    bool node_was_chosen = false;
  };
  [[nodiscard]] std::vector<Newcomer> Newcomers(std::span<const Pod* const> bound) const;
  void TakeTargets(const WorkloadNow& workload, News& news);
  void Judge(const Newcomer& newcomer, const WorkloadNow& workload, News& news);
  void Follow(PodRecord& record, const Pod& pod, News& news) const;

  WallTime since_;
  WallTime previous_;  // look
  std::string version_;
  std::map<std::string, NodeRecord, std::less<>> nodes_;
  PodRecords pods_;  // by uid
  std::array<std::uint64_t, kArrivals> arrivals_{};
};

}  // namespace prewarm::controller::demand
