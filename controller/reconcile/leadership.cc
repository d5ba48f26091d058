#include "controller/reconcile/leadership.h"

#include <algorithm>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/offload.h"

namespace prewarm::controller {

Leadership::Leadership(JobStore& store, boost::asio::thread_pool& store_pool, Logger& log,
                       Duration lease, std::string holder, std::function<void()> looked)
    : store_(store),
      store_pool_(store_pool),
      log_(log),
      lease_(lease),
      holder_(std::move(holder)),
      looked_(std::move(looked)) {}

Task<std::uint64_t> Leadership::Acquire() {
  bool said = false;
  while (!co_await Stopping()) {
    const auto [lease, holder] = co_await Offload(store_pool_, [&] {
      auto acquired = store_.TryAcquire(holder_);
      return std::pair(std::move(acquired), store_.SeenHolder());
    });
    standing_.trouble = lease ? "" : lease.error().message;
    if (lease) standing_.leader = *lease ? "" : holder.substr(0, holder.find('/'));
    if (looked_) looked_();
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
  renewed_at_ = clock.Now();
  while (co_await SleepFor(lease_ / 6)) {
    const auto begin = clock.Now();
    const auto status = co_await Offload(store_pool_, [&] { return store_.Renew(); });
    if (status) {
      renewed_at_ = begin;
      continue;
    }
    log_.Error("lease_not_renewed", {{"why", status.error()}});
    if (status.error().code == ErrorCode::kConflict) co_return status;
    if (clock.Now() - *renewed_at_ >= lease_) co_return status;
  }
  co_return Status();
}

Task<void> Leadership::GiveUp() {
  renewed_at_.reset();
  const auto status = co_await Offload(store_pool_, [&] { return store_.Release(); });
  if (!status) log_.Warn("lease_not_released", {{"why", status.error()}});
}

}  // namespace prewarm::controller
