// Events that `kubectl describe` shows on an object. Recording never waits and never fails: what is
// too much is counted and dropped. The same thing said again becomes a count on the first event.
// Lives on one executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <random>
#include <string>

#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "controller/kube/event_series.h"
#include "controller/kube/kube_api.h"

namespace prewarm::controller::kube {

class EventRecorder {
 public:
  // `instance` names this process; the name of its pod.
  EventRecorder(const boost::asio::any_io_executor& executor, KubeApi& api, const Clock& clock,
                std::string instance, std::uint64_t seed, EventSeries::Limits limits = {});

  void Record(const Event& event);

  // Writes what was recorded, until it is stopped. An event that the API server cannot take is
  // tried once more, later.
  Task<void> Run();

  struct Counters {
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;  // too many, of one object or altogether
    std::uint64_t failed = 0;   // the API server did not take them
  };
  [[nodiscard]] Counters counters() const;

 private:
  Task<void> Write(EventWrite write);

  KubeApi& api_;
  const Clock& clock_;
  const std::string instance_;
  std::mt19937_64 random_;
  EventSeries series_;
  Signal recorded_;
  std::uint64_t written_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace prewarm::controller::kube
