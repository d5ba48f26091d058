#include "agent/tasks/mount_watch.h"

#include <algorithm>
#include <utility>

#include "common/async/offload.h"

namespace prewarm::agent {
namespace {

constexpr Duration kAgeWhileOneHangs = std::chrono::minutes(10);

bool OneHangs(const MountSurvey& survey) {
  return std::ranges::any_of(survey.unreadable, [](const auto& mount) {
    return mount.second.code == ErrorCode::kTimeout;
  });
}

}  // namespace

MountWatch::MountWatch(const Clock& clock, boost::asio::thread_pool& pool, Survey survey)
    : clock_(clock), pool_(pool), survey_(std::move(survey)) {}

Task<std::shared_ptr<const MountSurvey>> MountWatch::Look() {
  auto seen = co_await Offload(pool_, [this] { return survey_(); });
  last_ = std::make_shared<const MountSurvey>(std::move(seen));
  last_at_ = clock_.Now();
  co_return last_;
}

Task<std::shared_ptr<const MountSurvey>> MountWatch::LookLately(Duration age) {
  if (last_ != nullptr) {
    const auto limit = OneHangs(*last_) ? std::max(age, kAgeWhileOneHangs) : age;
    if (clock_.Now() - last_at_ <= limit) co_return last_;
  }
  co_return co_await Look();
}

}  // namespace prewarm::agent
