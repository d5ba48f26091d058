#include "agent/warm/plan_scan.h"

#include <algorithm>

#include "common/async/offload.h"
#include "common/async/task_group.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::uint64_t kPart = 64ULL * 256;

struct PlanScan {
  const WarmParts& parts;
  const juicefs::BlockPlan& plan;
  Presence& presence;
  std::uint64_t next = 0;
  PlannedWork total;
  Status failed;
};

Task<void> ScanParts(PlanScan& scan) {
  while (scan.next < scan.plan.block_count() && scan.failed && !co_await Stopping()) {
    const auto first = scan.next;
    const auto last = std::min(first + kPart, scan.plan.block_count());
    scan.next = last;
    auto part = co_await Offload(scan.parts.disk_pool, [&] {
      return ScanPresence(scan.parts.cache, scan.plan, first, last, scan.presence);
    });
    if (part) {
      scan.total.Add(*part);
    } else {
      scan.failed = part.error();
    }
  }
}

}  // namespace

Task<Result<PlannedWork>> ScanPlan(const WarmParts& parts, const juicefs::BlockPlan& plan,
                                   Presence& presence) {
  PlanScan scan{parts, plan, presence, 0, {}, {}};
  scan.total.directories.resize(parts.cache.directory_count());
  TaskGroup group(co_await boost::asio::this_coro::executor);
  for (std::size_t i = 0; i < kLanes; ++i) group.Spawn("presence scan", ScanParts(scan));
  co_await group.Join();
  if (!scan.failed) co_return scan.failed.error();
  co_return scan.total;
}

}  // namespace prewarm::agent
