// Which events are written: the first of a kind at once, its repetitions as a count from time to
// time, and no more for one object than a budget allows. Pure, and bounded whatever is recorded.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

// What an event is about.
struct ObjectReference {
  std::string api_version;
  std::string kind;
  ObjectKey key;
  std::string uid;
  auto operator<=>(const ObjectReference&) const = default;
};

struct Event {
  ObjectReference about;
  bool warning = false;
  std::string reason;  // CamelCase
  std::string action;  // what was being done, CamelCase
  std::string note;    // one sentence; cut at 1 KiB
};

// One write to the API.
struct EventWrite {
  Event event;
  std::string name;  // of the event object
  WallTime first;
  std::optional<std::uint64_t> count;  // the first write creates; later ones patch the count
  WallTime last;
  unsigned attempts = 0;
};

class EventSeries {
 public:
  struct Limits {
    double burst = 25;  // writes for one object
    Duration refill = std::chrono::minutes(5);
    Duration between_counts = std::chrono::seconds(30);  // of one series
    Duration series_ends = std::chrono::minutes(6);      // after the last repetition
    std::size_t most_series = 4096;
    std::size_t most_waiting = 1024;
  };

  EventSeries();
  explicit EventSeries(Limits limits);

  // False: dropped. `name` is used if this begins a series.
  bool Record(const Event& event, const std::string& name, SteadyTime now, WallTime wall_now);
  // The next write that is due.
  std::optional<EventWrite> Next(SteadyTime now);
  // When the next one will be; nothing: not before something is recorded.
  [[nodiscard]] std::optional<SteadyTime> NextDue() const;
  // A write failed in a way that may pass: once more, later.
  void Again(EventWrite write);
  // The event of a series is gone from the API: its next repetition begins a new one.
  void Lost(const Event& event);

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::size_t series() const { return series_.size(); }

 private:
  struct Kind {
    ObjectReference about;
    bool warning = false;
    std::string reason;
    std::string action;
    auto operator<=>(const Kind&) const = default;
  };
  struct Series {
    EventWrite write;     // of the latest repetition
    bool counted = true;  // the count is written, or waits to be
    SteadyTime written;   // when a write was last handed out
    SteadyTime repeated;
  };
  static Kind KindOf(const Event& event);
  bool Pay(const ObjectReference& about, SteadyTime now);
  void DropOld(SteadyTime now);

  const Limits limits_;
  std::map<Kind, Series> series_;
  std::map<ObjectReference, TokenBucket> budgets_;
  std::deque<EventWrite> waiting_;
  std::uint64_t dropped_ = 0;
};

// The event object as events.k8s.io/v1 wants it, and the patch that counts a repetition.
boost::json::object EventJson(const EventWrite& write, const std::string& instance);
boost::json::object SeriesPatch(const EventWrite& write);

}  // namespace prewarm::controller::kube
