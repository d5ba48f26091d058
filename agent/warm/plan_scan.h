// Looks at every block of a plan in the cache, on all disk threads at once.
#pragma once

#include "agent/warm/fetch_run.h"
#include "agent/warm/presence.h"
#include "common/async/task.h"

namespace prewarm::agent {

// Marks what is whole and adds up the rest; see ScanPresence.
Task<Result<PlannedWork>> ScanPlan(const WarmParts& parts, const juicefs::BlockPlan& plan,
                                   Presence& presence);

}  // namespace prewarm::agent
