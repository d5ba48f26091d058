// Following one prewarm to its end through everything that may happen to the connection.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/cli/connection.h"

namespace prewarm::ctl {

struct FollowEvents {
  std::function<void(const v1::Prewarm&)> changed;
  std::function<void(const Error&, Duration pause)> lost;  // tries again after the pause
};

// The prewarm as it was when it had ended or was warm. A lost connection is made again with
// growing, jittered pauses; given up after ten minutes without a word.
Result<v1::Prewarm> Follow(Connection& connection, const Clock& clock, const std::string& id,
                           const FollowEvents& events);

// Between attempts to reach a controller that is away: up to 0.2 s, doubling up to 5 s, each
// between half and all of that.
class Backoff {
 public:
  Duration Next();
  void Reset() { most_ = kFirst; }

 private:
  static constexpr Duration kFirst = std::chrono::milliseconds(200);
  static constexpr Duration kMost = std::chrono::seconds(5);
  Duration most_ = kFirst;
};

}  // namespace prewarm::ctl
