#include "agent/link/plan_assembly.h"

#include <string>
#include <utility>

#include "agent/link/wire.h"

namespace prewarm::agent {

AssembledOrder PlanAssembly::Finish(Result<juicefs::BlockPlan> plan) {
  AssembledOrder done{FromWire(*order_), std::move(plan)};
  order_.reset();
  runs_ = {};
  return done;
}

std::optional<AssembledOrder> PlanAssembly::Begin(const v1::TaskOrder& order) {
  std::optional<AssembledOrder> incomplete;
  if (order_) {
    incomplete = Finish(Fail(ErrorCode::kInvalidArgument, "parts of the plan are missing"));
  }
  order_ = order;
  next_part_ = 0;
  return incomplete;
}

std::optional<AssembledOrder> PlanAssembly::Add(const v1::TaskPlan& part) {
  if (!order_ || FromWire(part.task()) != FromWire(order_->task())) return std::nullopt;
  if (part.part() != next_part_) {
    return Finish(Fail(ErrorCode::kInvalidArgument,
                       "part " + std::to_string(next_part_) + " of the plan is missing"));
  }
  if (const auto appended = AppendRuns(part, runs_); !appended) return Finish(appended.error());
  // Every run has at least a block, so this also bounds what a plan may cost us.
  if (runs_.size() > order_->planned_blocks()) {
    return Finish(
        Fail(ErrorCode::kInvalidArgument, "the plan has more blocks than were announced"));
  }
  if (++next_part_ < order_->plan_parts()) return std::nullopt;
  auto plan = juicefs::BlockPlan::FromRuns(runs_, order_->block_size());
  if (plan && (plan->block_count() != order_->planned_blocks() ||
               plan->bytes() != order_->planned_bytes())) {
    plan = Fail(ErrorCode::kInvalidArgument, "the plan is not as large as was announced");
  }
  return Finish(std::move(plan));
}

void PlanAssembly::Drop(const TaskId& id) {
  if (order_ && FromWire(order_->task()) == id) order_.reset();
  if (!order_) runs_ = {};
}

}  // namespace prewarm::agent
