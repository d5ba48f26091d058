// How far a task or a prewarm is, in the numbers that callers see. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "controller/api/prewarm_service.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

struct ProgressView {
  std::uint64_t planned_bytes = 0;
  std::uint64_t stored_bytes = 0;   // on disk, also what was there before
  std::uint64_t visible_bytes = 0;  // of tasks that are visible as a whole: less is not known
  std::uint64_t fetched_bytes = 0;  // brought by this prewarm
  std::uint64_t failed_blocks = 0;
  std::uint64_t bytes_per_second = 0;
  bool operator==(const ProgressView&) const = default;
};

ProgressView ProgressOf(const NodeTask& task);
// The sum over the nodes.
ProgressView ProgressOf(std::span<const TaskView> tasks);

}  // namespace prewarm::controller
