// The JuiceFS mounts of this node, looked at without standing still for one that hangs. Lives on
// the control executor.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>

#include "agent/mount/mounts.h"
#include "common/async/task.h"
#include "common/base/clock.h"

namespace prewarm::agent {

class MountWatch {
 public:
  using Survey = std::function<MountSurvey()>;
  // A hung mount holds a thread of `pool` for some seconds, so not the pool that writes blocks.
  MountWatch(const Clock& clock, boost::asio::thread_pool& pool, Survey survey = SurveyMounts);

  // As they are now.
  Task<std::shared_ptr<const MountSurvey>> Look();
  // As they were at most `age` ago. While a mount hangs, no more often than every ten minutes: each
  // look at it costs a thread that stays until the kernel lets it go.
  Task<std::shared_ptr<const MountSurvey>> LookLately(Duration age);

 private:
  const Clock& clock_;
  boost::asio::thread_pool& pool_;
  const Survey survey_;
  std::shared_ptr<const MountSurvey> last_;
  SteadyTime last_at_;
};

}  // namespace prewarm::agent
