// When the status of an object may be written because numbers have moved: each object at most once
// in a while, and all together at most so many a second. What changed in kind is not asked about
// here, it is written at once. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace prewarm::controller {

class StatusPacer {
 public:
  struct Limits {
    Duration between{};     // two writes of one object
    double per_second = 1;  // over all, after as many at once
  };
  explicit StatusPacer(Limits limits, SteadyTime now);

  // Of these objects, which have something to say, those that may be written now: those that have
  // waited longest first. They count as written.
  std::vector<std::string> Choose(const std::vector<std::string>& wanting, SteadyTime now);
  // It was written for another reason.
  void Written(const std::string& key, SteadyTime now) { written_[key] = now; }
  void Forget(const std::string& key) { written_.erase(key); }
  [[nodiscard]] std::size_t known() const { return written_.size(); }

 private:
  const Limits limits_;
  double tokens_;
  SteadyTime filled_;
  std::map<std::string, SteadyTime> written_;
};

}  // namespace prewarm::controller
