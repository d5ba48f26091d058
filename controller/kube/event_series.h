// Which events are written: the first of a kind at once, its repetitions as a count from time to
// time, and no more for one object than a budget allows. Pure, and bounded whatever is recorded.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

// What an event is about.
struct ObjectReference {
  std::string api_version;
  std::string kind;
  ObjectKey key;
  std::string uid{};
  auto operator<=>(const ObjectReference&) const = default;
};

struct Event {
  ObjectReference about;
  bool warning = false;
  std::string reason;  // CamelCase
  std::string action;  // what was being done, CamelCase
  std::string note{};  // one sentence; cut at 1 KiB
};

// One write to the API.
struct EventWrite {
  Event event;
  std::string name;  // of the event object
  WallTime first;
  WallTime last;
  std::uint64_t count = 1;
  bool created = false;  // the event object is there: its count is patched
};

class EventSeries {
 public:
  struct Limits {
    double burst = 25;  // writes for one object, then one each
    Duration refill = std::chrono::minutes(5);
    Duration between_counts = std::chrono::seconds(30);  // of one series
    Duration series_ends = std::chrono::minutes(6);      // after the last repetition
    std::size_t most_series = 4096;
  };

  EventSeries();
  explicit EventSeries(Limits limits);

  // False: dropped. `name` is the event object's if this begins a series.
  bool Record(const Event& event, const std::string& name, SteadyTime now, WallTime wall_now);
  // A write that is due; Written tells what became of it. Each series has one write out at most.
  std::optional<EventWrite> Next(SteadyTime now);
  enum class Outcome : std::uint8_t {
    kWritten,
    kAgain,  // that may pass: once more, later
    kLost,   // the event object is gone, or cannot be made: the series is forgotten
  };
  void Written(const EventWrite& write, Outcome outcome, SteadyTime now);
  // When the next write will be due; nothing: not before something is recorded.
  [[nodiscard]] std::optional<SteadyTime> NextDue() const;

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::size_t series() const { return series_.size(); }
  [[nodiscard]] std::size_t budgets() const { return budgets_.size(); }

 private:
  // Events that differ in their note alone are of one kind; the note of the first one is shown.
  struct Kind {
    ObjectReference about;
    bool warning = false;
    std::string reason;
    std::string action;
    auto operator<=>(const Kind&) const = default;
  };
  struct Series {
    EventWrite write;  // as of the last repetition
    SteadyTime recorded;
    SteadyTime not_before;          // of the next write
    std::optional<SteadyTime> due;  // nothing: all is written
    bool out = false;               // a write is under way
    unsigned failures = 0;
  };
  struct Budget {
    double tokens = 0;
    SteadyTime filled;
  };
  static Kind KindOf(const Event& event);
  bool Pay(const ObjectReference& about, SteadyTime now);
  bool MakeRoom(SteadyTime now);

  const Limits limits_;
  std::map<Kind, Series> series_;
  std::map<ObjectReference, Budget> budgets_;  // of objects that have series, and of few others
  std::uint64_t dropped_ = 0;
};

// The event object as events.k8s.io/v1 wants it, and the patch that counts a repetition: nothing
// else of an event can be changed.
boost::json::object EventJson(const EventWrite& write, const std::string& instance);
boost::json::object SeriesPatch(const EventWrite& write);
// Events lie beside the object that they are about, those about an object of the cluster in
// "default".
std::string EventNamespace(const Event& event);

}  // namespace prewarm::controller::kube
