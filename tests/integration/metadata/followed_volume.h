// A volume that is followed by tracking: what was heard of it, on a loop that runs while the test
// waits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/metadata/tracked_redis.h"
#include "common/metadata/volume_reader.h"
#include "tests/rig/environment.h"
#include "tests/rig/run_task.h"

namespace prewarm::metadata {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class FollowedVolume {
 public:
  explicit FollowedVolume(const std::string& url,
                          TrackedRedis::Options options = {.heartbeat = 300ms})
      : redis_(
            loop_.get_executor(), *ParseRedisUrl(url, rig::With({{"SENTINEL_PASSWORD", "watch"}})),
            clock_, [this](const Changes& changes) { Hear(changes); }, options) {}
  FollowedVolume(const FollowedVolume&) = delete;
  FollowedVolume& operator=(const FollowedVolume&) = delete;
  ~FollowedVolume() { rig::RunTask(loop_, StopIt(redis_)); }

  // Reads once; what was heard before does not count any more.
  Result<ResolvedPaths> Read(std::size_t others = 0) { return Run(ReadIt(redis_, others, *this)); }
  // Until `condition`; false after `limit`.
  bool Within(std::chrono::milliseconds limit, const std::function<bool()>& condition) {
    const auto end = clock_.Now() + limit;
    while (!condition() && clock_.Now() < end) loop_.run_for(10ms);
    return condition();
  }
  [[nodiscard]] bool Heard(const std::string& key) const {
    return std::ranges::find(heard_, HashOfKey(key)) != heard_.end();
  }
  [[nodiscard]] bool anything() const { return anything_; }
  [[nodiscard]] bool nothing() const { return !anything_ && heard_.empty(); }
  [[nodiscard]] std::size_t keys() const { return keys_.size(); }
  TrackedRedis& redis() { return redis_; }
  boost::asio::io_context& loop() { return loop_; }

 private:
  static Task<bool> StopIt(TrackedRedis& redis) {
    co_await redis.Stop();
    co_return true;
  }
  static Task<Result<ResolvedPaths>> ReadIt(TrackedRedis& redis, std::size_t others,
                                            FollowedVolume& self) {
    CO_TRY_STATUS(co_await redis.Connect(60s));
    self.heard_.clear();
    self.anything_ = false;
    redis.BeginReading(others);
    VolumeReader reader(redis);
    auto resolved = co_await reader.Resolve({.subdir = {}, .paths = {}, .on_progress = {}});
    self.keys_ = redis.EndReading();
    co_return resolved;
  }
  // RunTask would wait for the client's own tasks, which never end.
  template <class T>
  T Run(Task<T> task) {
    std::optional<T> result;
    TaskGroup group(loop_.get_executor());
    group.Spawn("test", rig::KeepResult(std::move(task), result));
    EXPECT_TRUE(Within(60s, [&] { return group.running() == 0; }));
    return *std::move(result);
  }
  void Hear(const Changes& changes) {
    anything_ = anything_ || changes.anything;
    heard_.insert(heard_.end(), changes.keys.begin(), changes.keys.end());
  }

  boost::asio::io_context loop_;
  SystemClock clock_;
  std::vector<KeyHash> heard_;
  std::vector<KeyHash> keys_;
  bool anything_ = false;
  TrackedRedis redis_;
};

}  // namespace prewarm::metadata
