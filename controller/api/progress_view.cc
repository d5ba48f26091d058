#include "controller/api/progress_view.h"

namespace prewarm::controller {

ProgressView ProgressOf(const NodeTask& task) {
  const auto& said = task.progress;
  ProgressView view;
  view.planned_bytes = said.planned_bytes;
  view.stored_bytes = said.present_bytes + said.fetched_bytes;
  view.visible_bytes = task.state == TaskState::kVisible ? view.stored_bytes : 0;
  view.fetched_bytes = said.fetched_bytes;
  view.failed_blocks = said.failed_blocks;
  view.bytes_per_second = said.bytes_per_second;
  return view;
}

ProgressView ProgressOf(std::span<const TaskView> tasks) {
  ProgressView sum;
  for (const auto& view : tasks) {
    const auto one = ProgressOf(view.task);
    sum.planned_bytes += one.planned_bytes;
    sum.stored_bytes += one.stored_bytes;
    sum.visible_bytes += one.visible_bytes;
    sum.fetched_bytes += one.fetched_bytes;
    sum.failed_blocks += one.failed_blocks;
    sum.bytes_per_second += one.bytes_per_second;
  }
  return sum;
}

}  // namespace prewarm::controller
