// When: the signals that say that a workload's models will be needed, from the first hint of a
// bento to its container's start. Each says for how many replicas, how urgently and since when.
// Pure: what has to be remembered between two looks is a value that goes in and comes out.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "controller/demand/cluster_index.h"
#include "controller/demand/hpa_trend.h"
#include "controller/demand/policy.h"

namespace prewarm::controller::demand {

// In the order of the ladder; a later one is surer and more urgent, with the exceptions that
// PriorityOf knows.
enum class SignalKind : std::uint8_t {
  kKeepWarm,            // by policy, although nobody asks
  kRollingUpdate,       // the version before still runs
  kModelsKnown,         // S1: plan, warm nothing
  kDeploymentKnown,     // S2: plan, warm nothing before the models are whole
  kModelsSeeded,        // S3
  kBentoReady,          // S4
  kHpaTrend,            // S5
  kHpaDesired,          // S6, by an autoscaler
  kDeploymentReplicas,  // S6, by a person or another autoscaler
  kPodPending,          // S7
  kScaleUpTriggered,    // S8, by the cluster autoscaler
  kNodeClaimed,         // S8, by Karpenter
  kNodeJoined,          // S9
  kPodBound,            // S10
  kPodStarted,          // S11
};
inline constexpr std::size_t kSignalKinds = 15;
std::string_view SignalName(SignalKind kind);  // "hpa-desired": stable, shown and exported

// 0 to 1000: how far the signal lifts a workload from its policy's priority towards 1000.
std::int32_t PriorityOf(SignalKind kind, std::int32_t base);

struct Signal {
  SignalKind kind = SignalKind::kKeepWarm;
  std::int32_t replicas = 0;  // wanted in total because of it; 0: it asks for none
  std::int32_t priority = 0;
  WallTime since;
  std::string words;  // "the autoscaler wants 4 replicas, 1 is bound"
  bool operator==(const Signal&) const = default;
};

// What is known of the workload's models and of what it may grow to; the same for every component
// of a workload, but for the replicas.
struct ModelFacts {
  std::optional<WallTime> known_at;   // the models have names (BentoRequest)
  std::optional<WallTime> seeded_at;  // and are whole on the volume; before, nothing is warmed
  std::optional<WallTime> ready_at;   // the Bento exists: pods are near
  std::int32_t min_replicas = 1;      // as the workload says; an autoscaler's own word counts more
  std::int32_t max_replicas = 1;
  bool wanted = true;  // the workload exists (false: only its BentoRequest does)
  // Matches the pods that run these models: for Bento, repository and version. Empty: those of the
  // newest ReplicaSet. All others are of versions before.
  LabelSelector pods;
};

// A version of the workload that still has replicas, besides the newest one.
struct OldRevision {
  std::string template_hash;
  Labels labels;  // of its pods: they name the bento
  std::int32_t replicas = 0;
  std::vector<std::string> nodes;  // where its pods are bound; sorted
  bool operator==(const OldRevision&) const = default;
};

// Kept by the caller from one reading to the next; a new one is empty. Bounded.
struct SignalMemory {
  struct Peak {
    std::int32_t replicas = 0;
    WallTime last;  // when so many were wanted last
    bool operator==(const Peak&) const = default;
  };
  std::array<std::optional<WallTime>, kSignalKinds> since;
  HpaTrend trend;
  std::vector<Peak> peaks;  // falling, within keep_after_scale_down
  bool operator==(const SignalMemory&) const = default;
};

// What is to be had, and why. `signals` never has kNodeClaimed and kNodeJoined: whether a node is
// for this workload is found out when its targets are chosen.
struct Demand {
  std::vector<Signal> signals;             // in force, in the order of the ladder
  std::vector<OldRevision> old_revisions;  // sorted by template hash
  std::vector<const Pod*> bound;           // pods that run these models and have a node; by name
  std::int32_t replicas = 0;               // the most that a signal asks for, within max_replicas
  std::int32_t max_replicas = 0;           // as in force
  SignalMemory memory;

  [[nodiscard]] const Signal* Find(SignalKind kind) const;
};

// A suspended policy reads as no signals at all, and remembers nothing.
Demand ReadSignals(const ModelFacts& models, const WorkloadObjects& objects, const Policy& policy,
                   SignalMemory memory, WallTime now);

}  // namespace prewarm::controller::demand
