#include "controller/reconcile/leadership.h"

#include <algorithm>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/offload.h"

namespace prewarm::controller {

Leadership::Leadership(JobStore& store, boost::asio::thread_pool& store_pool, Logger& log,
                       Duration lease, std::string holder)
    : store_(store),
      store_pool_(store_pool),
      log_(log),
      lease_(lease),
      holder_(std::move(holder)) {}

Task<std::uint64_t> Leadership::Acquire() {
  bool said = false;
  while (!co_await Stopping()) {
    const auto lease = co_await Offload(store_pool_, [&] { return store_.TryAcquire(holder_); });
    if (lease && *lease) {
      log_.Info("leading", {{"epoch", (*lease)->epoch}});
      co_return (*lease)->epoch;
    }
    if (!lease) log_.Error("lease_failed", {{"why", lease.error()}});
    if (lease && !std::exchange(said, true)) log_.Info("standing_by");
    co_await SleepFor(std::min<Duration>(lease_ / 10, std::chrono::seconds(1)));
  }
  co_return 0;
}

Task<Status> Leadership::Keep(const Clock& clock) {
  auto renewed = clock.Now();
  while (co_await SleepFor(lease_ / 6)) {
    const auto begin = clock.Now();
    const auto status = co_await Offload(store_pool_, [&] { return store_.Renew(); });
    if (status) {
      renewed = begin;
      continue;
    }
    log_.Error("lease_not_renewed", {{"why", status.error()}});
    if (status.error().code == ErrorCode::kConflict) co_return status;
    if (clock.Now() - renewed >= lease_) co_return status;
  }
  co_return Status();
}

Task<void> Leadership::GiveUp() {
  const auto status = co_await Offload(store_pool_, [&] { return store_.Release(); });
  if (!status) log_.Warn("lease_not_released", {{"why", status.error()}});
}

}  // namespace prewarm::controller
