#include "controller/reconcile/follower.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(5);
constexpr auto kLongestWait = std::chrono::minutes(1);
// Changes during one reading that are remembered one by one.
constexpr std::size_t kMostArrived = 65'536;

bool Same(const VolumeFollower::Reading& before, const Result<ResolvedPlan>& now) {
  if (before.plan.has_value() != now.has_value()) return false;
  if (!now) return before.plan.error().message == now.error().message;
  return (*before.plan)->Hash() == now->Hash();
}

// By shared pointer, so that it lives to its end whoever drops it.
Task<void> RunFollower(std::shared_ptr<VolumeFollower> follower) { co_await follower->Run(); }

}  // namespace

bool IsAboutThePath(const Error& error) {
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument;
}

VolumeFollower::VolumeFollower(const FollowParts& parts, std::shared_ptr<Volume> volume,
                               const FollowPace& pace, std::uint64_t& last_version)
    : parts_(parts),
      volume_(std::move(volume)),
      pace_(pace),
      last_version_(last_version),
      work_(parts.executor) {}

const VolumeFollower::Reading* VolumeFollower::Follow(const std::vector<std::string>& paths) {
  auto& followed = followed_[paths];
  if (followed == nullptr) {
    followed = std::make_shared<Followed>();
    followed->paths = paths;
    work_.Notify();
  }
  followed->wanted = true;
  return followed->reading.get();
}

bool VolumeFollower::DropOthers() {
  std::erase_if(followed_, [](const auto& entry) { return !entry.second->wanted; });
  for (const auto& [paths, followed] : followed_) followed->wanted = false;
  return !followed_.empty();
}

void VolumeFollower::End() {
  ended_ = true;
  work_.Notify();
}

std::shared_ptr<VolumeFollower::Followed> VolumeFollower::Next() const {
  const auto due = [this](const auto& entry) { return entry.second->timer.DueAt(pace_, Told()); };
  const auto next = std::ranges::min_element(followed_, {}, due);
  return next == followed_.end() ? nullptr : next->second;
}

Task<void> VolumeFollower::Run() {
  while (!ended_ && !co_await Stopping()) {
    const auto next = Next();
    const auto now = parts_.clock.Now();
    const auto due = next == nullptr ? SteadyTime::max() : next->timer.DueAt(pace_, Told());
    if (due <= now) {
      co_await Read(next);
    } else {
      co_await work_.WaitFor(due - now < kLongestWait ? due - now : kLongestWait);
    }
  }
  volume_->NoteFollowing(false, 0);
  if (redis_ != nullptr) co_await redis_->Stop();
}

Task<void> VolumeFollower::Read(std::shared_ptr<Followed> followed) {
  const auto begin = parts_.clock.Now();
  followed->timer.Began(begin);
  auto plan = co_await ReadPlan(followed);
  const auto end = parts_.clock.Now();
  const bool failed = !plan && !IsAboutThePath(plan.error());
  parts_.metrics.plans.Observe(std::chrono::duration<double>(end - begin).count());
  if (failed) parts_.metrics.failed_plans.Add();
  followed->timer.Ended(end, failed);
  SayHow();
  // The way to the engine may have changed: password, address.
  if (failed && redis_ != nullptr) co_await std::exchange(redis_, nullptr)->Stop();
  const bool stopped = !plan && plan.error().code == ErrorCode::kCancelled;
  if (!stopped) Take(*followed, std::move(plan));
}

Task<Result<ResolvedPlan>> VolumeFollower::ReadPlan(std::shared_ptr<Followed> followed) {
  if (redis_ == nullptr) {
    CO_TRY(auto url, volume_->Url());
    redis_ = std::make_unique<metadata::TrackedRedis>(
        parts_.executor, std::move(url), parts_.clock,
        [this](const metadata::Changes& changes) { Hear(changes); });
  }
  // First, because a new connection is a change of everything that was read before.
  CO_TRY_STATUS(co_await redis_->Connect(kConnectLimit));
  followed->timer.Began(parts_.clock.Now());
  std::size_t others = 0;
  for (const auto& [paths, other] : followed_) {
    if (other != followed) others += other->keys.size();
  }
  reading_ = followed;
  redis_->BeginReading(others);
  auto plan = co_await volume_->PlanOver(*redis_, followed->paths);
  followed->keys = redis_->EndReading();
  reading_ = nullptr;
  const auto arrived = std::exchange(followed->arrived, {});
  const auto is_read = [&](auto key) { return std::ranges::binary_search(followed->keys, key); };
  if (std::ranges::any_of(arrived, is_read)) followed->timer.Changed(parts_.clock.Now());
  co_return plan;
}

void VolumeFollower::Take(Followed& followed, Result<ResolvedPlan> plan) {
  if (followed.reading != nullptr && Same(*followed.reading, plan)) return;
  followed.reading = std::make_unique<Reading>();
  followed.reading->version = ++last_version_;
  if (plan) {
    followed.reading->plan = std::make_shared<const ResolvedPlan>(*std::move(plan));
  } else {
    followed.reading->plan = std::move(plan).error();
  }
  parts_.on_reading();
}

void VolumeFollower::Hear(const metadata::Changes& changes) {
  const auto now = parts_.clock.Now();
  for (const auto& [paths, followed] : followed_) {
    const auto& keys = followed->keys;
    const auto is_read = [&](auto key) { return std::ranges::binary_search(keys, key); };
    if (changes.anything || std::ranges::any_of(changes.keys, is_read)) {
      followed->timer.Changed(now);
    }
  }
  if (reading_ != nullptr) {
    auto& arrived = reading_->arrived;
    if (arrived.size() > kMostArrived) {
      reading_->timer.Changed(now);
    } else {
      arrived.insert(arrived.end(), changes.keys.begin(), changes.keys.end());
    }
  }
  volume_->NoteFollowing(Told(), changes.keys.size());
  work_.Notify();
}

// Once, and again only if it is different.
void VolumeFollower::SayHow() {
  if (redis_ == nullptr) return;
  const auto& how = redis_->tracking() ? std::string("tracking") : redis_->refusal();
  if (how.empty() || how == std::exchange(said_, how)) return;
  if (redis_->tracking()) {
    parts_.log.Info("follow_by_tracking", {{"volume", volume_->name()}});
  } else {
    parts_.log.Info("follow_by_polling", {{"volume", volume_->name()}, {"why", how}});
  }
}

Follower::Follower(FollowParts parts, VolumeMap& volumes)
    : parts_(std::move(parts)), volumes_(volumes), following_(parts_.executor) {}

const Follower::Reading* Follower::Follow(const std::string& volume,
                                          const std::vector<std::string>& paths) {
  const auto known = volumes_.find(volume);
  if (known == volumes_.end()) return nullptr;
  auto& follower = by_volume_[volume];
  // A configuration read anew may have put another volume behind the name.
  if (follower == nullptr || follower->volume() != known->second.get()) {
    if (follower != nullptr) follower->End();
    follower = std::make_shared<VolumeFollower>(parts_, known->second, pace_, last_version_);
    following_.Spawn("follow volume " + volume, RunFollower(follower));
  }
  return follower->Follow(paths);
}

void Follower::DropOthers() {
  std::erase_if(by_volume_, [](const auto& entry) {
    if (entry.second->DropOthers()) return false;
    entry.second->End();
    return true;
  });
}

Task<void> Follower::Stop() {
  following_.Stop();
  co_await following_.Join();
}

}  // namespace prewarm::controller
