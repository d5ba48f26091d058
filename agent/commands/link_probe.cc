#include "agent/commands/link_probe.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/warm/block_buffer.h"
#include "common/async/task_group.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t kLanes = 16;
constexpr auto kMeasureFor = std::chrono::seconds(2);
constexpr std::uint64_t kMostBytes = 1ULL << 30;

struct Measurement {
  const Clock& clock;
  const VolumeSession& session;
  ObjectStore& store;
  const juicefs::BlockPlan& plan;
  SteadyTime end;
  std::uint64_t next = 0;
  std::uint64_t bytes = 0;
  std::vector<double> durations;
  Status failed;

  // Round and round over the plan, until the time is up.
  [[nodiscard]] bool GoesOn() const { return failed && clock.Now() < end && bytes < kMostBytes; }
};

Task<void> ReadBlocks(Measurement& m) {
  const auto& settings = m.session.settings();
  const BlockBuffer buffer(m.session.codec(), settings.block_size);
  while (m.GoesOn() && !co_await Stopping()) {
    const auto block = m.plan.At(m.next++ % m.plan.block_count());
    const std::string key = settings.name + "/" + juicefs::BlockKey(block, settings.hash_prefix);
    ReadRequest request;
    request.key = key;
    const auto begin = m.clock.Now();
    const auto read = co_await m.store.Read(request, buffer.ObjectSpace(block));
    if (!read) {
      m.failed = read.error();
      co_return;
    }
    m.bytes += read->size;
    m.durations.push_back(std::chrono::duration<double>(m.clock.Now() - begin).count());
  }
}

double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

Task<Result<LinkReport>> ProbeLink(const CommandContext& context, VolumeSession& session) {
  CO_TRY_STATUS(co_await session.CheckStore());
  CO_TRY(const auto resolved, co_await session.Resolve({}));
  const juicefs::BlockPlan plan(resolved.files, session.settings().block_size);
  if (plan.block_count() == 0) {
    co_return Fail(ErrorCode::kNotFound, "there is nothing to read from the store: no data there");
  }
  CO_TRY(const auto store, session.MakeStore());
  const auto begin = context.clock.Now();
  Measurement measurement{context.clock, session, *store, plan, begin + kMeasureFor, 0, 0, {}, {}};
  TaskGroup group(context.control);
  for (std::size_t i = 0; i < kLanes; ++i) group.Spawn("link probe", ReadBlocks(measurement));
  co_await group.Join();
  CO_TRY_STATUS(measurement.failed);

  std::ranges::sort(measurement.durations);
  LinkReport report;
  report.store = store->Describe();
  report.requests = measurement.durations.size();
  report.bytes = measurement.bytes;
  report.seconds = std::chrono::duration<double>(context.clock.Now() - begin).count();
  report.request_p50_seconds = Percentile(measurement.durations, 0.5);
  report.request_p99_seconds = Percentile(measurement.durations, 0.99);
  co_return report;
}

}  // namespace prewarm::agent
