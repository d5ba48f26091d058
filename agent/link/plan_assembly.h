// An order and the parts of its plan, put together as they come in: one at a time, because parts
// follow their order directly.
#pragma once

#include <prewarm/v1/agent_link.pb.h>

#include <optional>
#include <vector>

#include "agent/tasks/task_values.h"
#include "common/base/result.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

// An order that needs nothing more, with its plan or why that cannot be followed.
struct AssembledOrder {
  TaskOrder order;
  Result<juicefs::BlockPlan> plan;
};

class PlanAssembly {
 public:
  // Begins; what was not complete yet is given back as an error.
  std::optional<AssembledOrder> Begin(const v1::TaskOrder& order);
  // Nothing while parts are missing, and for parts that belong to no order.
  std::optional<AssembledOrder> Add(const v1::TaskPlan& part);
  // Lets go of the order if it is this task's.
  void Drop(const TaskId& id);
  void Clear() { order_.reset(); }

 private:
  AssembledOrder Finish(Result<juicefs::BlockPlan> plan);

  std::optional<v1::TaskOrder> order_;
  std::uint32_t next_part_ = 0;
  std::vector<juicefs::BlockRun> runs_;
};

}  // namespace prewarm::agent
