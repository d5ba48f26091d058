// What one look found of a workload, in few numbers: for metrics, and for judging how early its
// nodes were warm. Of its newest version; versions before only keep what they have. Pure.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/demand/lead_times.h"
#include "controller/operator/workload_plan.h"

namespace prewarm::controller {

enum class WorkloadState : std::uint8_t {
  kWarm,           // on every target all bytes are visible
  kWarming,        // on some they are not yet
  kNotSeeded,      // the models, or one of them, are not whole on their volume
  kNoDemand,       // nothing asks for them now
  kNothingToWarm,  // it needs no models of ours
  kUnresolved,     // somebody has to act: what it needs, or where that is, cannot be told
  kUnlooked,       // the volume has not answered yet
};
inline constexpr std::size_t kWorkloadStates = 7;
std::string_view StateName(WorkloadState state);  // "warm", "not-seeded": stable, exported

enum class TargetState : std::uint8_t {
  kAhead,   // warm, and no pod is bound to it yet
  kInUse,   // warm, with a pod
  kComing,  // neither
  kLate,    // a pod is bound to it, and it is not warm
};
inline constexpr std::size_t kTargetStates = 4;
std::string_view StateName(TargetState state);  // "ahead", "in-use", …

using TargetCounts = std::array<std::uint32_t, kTargetStates>;

struct WorkloadReport {
  WorkloadState state = WorkloadState::kUnlooked;
  std::map<std::string, TargetCounts, std::less<>> targets;  // by signal
  std::uint64_t planned_bytes = 0;                           // of all targets together
  std::uint64_t visible_bytes = 0;
  std::bitset<demand::kSignalKinds> signals;                       // in force
  std::map<std::string, std::uint32_t, std::less<>> unresolved{};  // models, by ObstacleName
  bool short_of_nodes = false;
  bool operator==(const WorkloadReport&) const = default;

  [[nodiscard]] TargetCounts Targets() const;  // of all signals
};

// A node that the newest version of a workload is to be warm on.
struct WorkloadNode {
  demand::TargetNow now;  // its name points into the output
  std::string_view signal;
  std::uint64_t planned_bytes = 0;
  std::uint64_t visible_bytes = 0;
};

struct WorkloadLook {
  const bento::ModelPlan& models;
  const WorkloadOutput& output;
  std::span<const Prewarm> existing;  // as PlanWorkload had them
  std::function<bool(const std::string& node)> has_agent;
};

// Sorted by name. What is visible counts as warm since `now`: nobody writes down when it became so.
std::vector<WorkloadNode> NodesOf(const WorkloadLook& look, WallTime now);
WorkloadReport ReportOn(const WorkloadLook& look, std::span<const WorkloadNode> nodes);
// Why a pod cannot find its node warm, whichever node that is; nothing: it can.
std::optional<demand::Arrival> ObstacleOf(const WorkloadReport& report);

}  // namespace prewarm::controller
