// The JuiceFS mounts of this node, looked at and asked without standing still for one that hangs.
// Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/mount/cache_check.h"
#include "agent/mount/mounts.h"
#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"

namespace prewarm::agent {

class MountWatch {
 public:
  using Survey = std::function<MountSurvey()>;
  using Check = std::function<Result<CacheCount>(
      const MountSettings& mount, const std::vector<std::string>& paths, const std::stop_token&)>;
  // A hung mount holds a thread of `pool` for some seconds, so not the pool that writes blocks.
  MountWatch(
      const boost::asio::any_io_executor& executor, const Clock& clock,
      boost::asio::thread_pool& pool, Survey survey = SurveyMounts,
      Check check = [](const MountSettings& mount, const std::vector<std::string>& paths,
                       const std::stop_token& stop) { return CheckCache(mount, paths, stop); });

  // As they are now.
  Task<std::shared_ptr<const MountSurvey>> Look();
  // As they were at most `age` ago. While a mount hangs, rarely: after four seconds, eight, … up to
  // ten minutes, as each look at it costs a thread that stays until the kernel lets it go.
  Task<std::shared_ptr<const MountSurvey>> LookLately(Duration age);

  // CheckCache, in its turn: a client answers one question at a time, and one that did not answer
  // is not asked again for ten minutes. Stop the token before the task is stopped.
  Task<Result<CacheCount>> Ask(MountSettings mount, std::vector<std::string> paths,
                               std::stop_token stop);

 private:
  [[nodiscard]] bool Busy(const std::string& mount_point) const;

  const Clock& clock_;
  boost::asio::thread_pool& pool_;
  const Survey survey_;
  const Check check_;
  std::shared_ptr<const MountSurvey> last_;
  SteadyTime last_at_;
  Duration age_while_one_hangs_{};            // zero: none does
  std::set<std::string> asked_;               // mount points that are being asked
  std::map<std::string, SteadyTime> silent_;  // when they did not answer
  Signal answered_;
};

}  // namespace prewarm::agent
