#include "agent/tasks/mount_watch.h"

#include <algorithm>
#include <utility>

#include "common/async/offload.h"

namespace prewarm::agent {
namespace {

constexpr Duration kAgeWhileSilent = std::chrono::minutes(10);
constexpr Duration kFirstAgeWhileOneHangs = std::chrono::seconds(4);
// Whoever looks at the node must find a thread, so that questions never take the whole pool.
constexpr std::size_t kMostAsked = 2;

Error Stopped() { return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled); }

bool OneHangs(const MountSurvey& survey) {
  return std::ranges::any_of(survey.unreadable, [](const auto& mount) {
    return mount.second.code == ErrorCode::kTimeout;
  });
}

}  // namespace

MountWatch::MountWatch(const boost::asio::any_io_executor& executor, const Clock& clock,
                       boost::asio::thread_pool& pool, Survey survey, Check check)
    : clock_(clock),
      pool_(pool),
      survey_(std::move(survey)),
      check_(std::move(check)),
      answered_(executor) {}

Task<std::shared_ptr<const MountSurvey>> MountWatch::Look() {
  auto seen = co_await Offload(pool_, [this] { return survey_(); });
  last_ = std::make_shared<const MountSurvey>(std::move(seen));
  last_at_ = clock_.Now();
  age_while_one_hangs_ = OneHangs(*last_) ? std::clamp(age_while_one_hangs_ * 2,
                                                       kFirstAgeWhileOneHangs, kAgeWhileSilent)
                                          : Duration();
  co_return last_;
}

Task<std::shared_ptr<const MountSurvey>> MountWatch::LookLately(Duration age) {
  const auto limit = std::max(age, age_while_one_hangs_);
  if (last_ != nullptr && clock_.Now() - last_at_ <= limit) co_return last_;
  co_return co_await Look();
}

bool MountWatch::Busy(const std::string& mount_point) const {
  return asked_.contains(mount_point) || asked_.size() >= kMostAsked;
}

Task<Result<CacheCount>> MountWatch::Ask(MountSettings mount, std::vector<std::string> paths,
                                         std::stop_token stop) {
  while (Busy(mount.mount_point)) {
    if (!co_await answered_.Wait()) co_return Stopped();
  }
  if (const auto silent = silent_.find(mount.mount_point); silent != silent_.end()) {
    if (clock_.Now() - silent->second < kAgeWhileSilent) {
      co_return Fail(ErrorCode::kTimeout, "it did not answer some minutes ago", Reason::kTimeout);
    }
    silent_.erase(silent);
  }
  if (co_await Stopping()) co_return Stopped();
  asked_.insert(mount.mount_point);
  auto count = co_await Offload(pool_, [&] { return check_(mount, paths, stop); });
  asked_.erase(mount.mount_point);
  answered_.Notify();
  if (!count && count.error().code == ErrorCode::kTimeout) {
    silent_[mount.mount_point] = clock_.Now();
  }
  co_return count;
}

}  // namespace prewarm::agent
