// Small prewarms, plans and nodes for tests of the controller.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "controller/plan/model.h"
#include "controller/plan/outcome.h"

namespace prewarm::controller {

// `blocks` blocks of 4 MiB in one slice.
inline ResolvedPlan APlan(std::uint32_t blocks, std::uint64_t slice = 1) {
  constexpr std::uint32_t kBlock = 4 << 20;
  const std::vector<juicefs::BlockRun> runs{{juicefs::SliceId(slice), blocks * kBlock, 0, blocks}};
  ResolvedPlan plan;
  plan.files = 1;
  plan.file_bytes = std::uint64_t{blocks} * kBlock;
  plan.blocks = *juicefs::BlockPlan::FromRuns(runs, kBlock);
  return plan;
}

// Accepted, on these nodes, in its first generation.
inline Prewarm APrewarm(std::string id, const ResolvedPlan& plan,
                        const std::vector<std::string>& nodes) {
  Prewarm prewarm;
  prewarm.id = std::move(id);
  prewarm.name_space = "default";
  prewarm.spec.volume = "models";
  prewarm.state = PrewarmState::kRunning;
  BeginGeneration(prewarm, plan, false);
  for (const auto& node : nodes) prewarm.tasks[node] = NewTask(node, prewarm.generation, plan);
  return prewarm;
}

inline HeldReport AReport(const Prewarm& prewarm, TaskState state) {
  HeldReport report;
  report.held.prewarm = prewarm.id;
  report.held.generation = prewarm.generation;
  report.held.state = state;
  return report;
}

}  // namespace prewarm::controller
