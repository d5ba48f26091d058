// What the job store's kill test saves, computed from a number, so that whoever looks afterwards
// knows what must be there. Batch n accepts kPerBatch prewarms and, in the same Save, ends the
// first one of the batch before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/plan/model.h"

namespace prewarm::faults {

inline constexpr std::uint64_t kPerBatch = 3;
inline constexpr int kNodesPerPrewarm = 8;

inline std::string JobId(std::uint64_t batch, std::uint64_t index) {
  return "job-" + std::to_string(batch) + "-" + std::to_string(index);
}

inline controller::Prewarm AcceptedJob(std::uint64_t batch, std::uint64_t index) {
  controller::Prewarm prewarm;
  prewarm.id = JobId(batch, index);
  prewarm.name_space = "faults";
  prewarm.spec.volume = "volume-" + std::to_string(batch);
  prewarm.spec.paths = {std::string(static_cast<std::size_t>(batch * 37 % 500), 'p')};
  prewarm.state = controller::PrewarmState::kRunning;
  prewarm.created_at = WallTime(std::chrono::seconds(batch));
  prewarm.generation = 1;
  for (int node = 0; node < kNodesPerPrewarm; ++node) {
    controller::NodeTask task;
    task.node = "node-" + std::to_string(node);
    task.generation = 1;
    task.progress.planned_bytes = batch * 1000 + index;
    prewarm.tasks[task.node] = task;
  }
  return prewarm;
}

inline controller::Prewarm EndedJob(std::uint64_t batch) {
  auto prewarm = AcceptedJob(batch, 0);
  prewarm.state = controller::PrewarmState::kSucceeded;
  prewarm.ended_at = WallTime(std::chrono::seconds(batch + 1));
  for (auto& [node, task] : prewarm.tasks) task.state = controller::TaskState::kVisible;
  return prewarm;
}

inline std::vector<controller::Prewarm> Batch(std::uint64_t number) {
  std::vector<controller::Prewarm> batch;
  batch.reserve(kPerBatch + 1);
  for (std::uint64_t index = 0; index < kPerBatch; ++index) {
    batch.push_back(AcceptedJob(number, index));
  }
  if (number > 1) batch.push_back(EndedJob(number - 1));
  return batch;
}

}  // namespace prewarm::faults
