#include "controller/kube/event_series.h"

#include <algorithm>
#include <utility>

#include "common/base/utf8.h"
#include "controller/kube/micro_time.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;

constexpr std::size_t kLongestNote = 1024;
constexpr auto kReporter = "prewarm.dev/controller";

// Not in the middle of a character.
std::string Cut(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  constexpr std::string_view kMore = "…";
  std::size_t end = most - kMore.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end).append(kMore);
}

json::object SeriesJson(const EventWrite& write) {
  return {{"count", write.count}, {"lastObservedTime", FormatMicroTime(write.last)}};
}

}  // namespace

EventSeries::EventSeries() : EventSeries(Limits()) {}
EventSeries::EventSeries(Limits limits) : limits_(limits) {}

EventSeries::Kind EventSeries::KindOf(const Event& event) {
  return {event.about, event.warning, event.reason, event.action};
}

bool EventSeries::Record(const Event& event, const std::string& name, SteadyTime now,
                         WallTime wall_now) {
  const auto kind = KindOf(event);
  const auto found = series_.find(kind);
  if (found != series_.end() &&
      (found->second.out || now - found->second.recorded < limits_.series_ends)) {
    auto& series = found->second;
    ++series.write.count;
    series.write.last = wall_now;
    series.recorded = now;
    if (!series.due && !series.out) series.due = std::max(now, series.not_before);
    return true;
  }
  if (found != series_.end()) series_.erase(found);
  if (!MakeRoom(now) || !Pay(event.about, now)) {
    ++dropped_;
    return false;
  }
  Series series{.write = {.event = event, .name = name, .first = wall_now, .last = wall_now},
                .recorded = now,
                .not_before = now,
                .due = now};
  series.write.event.note = Cut(ToUtf8(event.note), kLongestNote);
  series_.emplace(kind, std::move(series));
  return true;
}

std::optional<EventWrite> EventSeries::Next(SteadyTime now) {
  for (;;) {
    Series* next = nullptr;
    for (auto& [kind, series] : series_) {
      const bool ready = series.due && *series.due <= now;
      if (ready && (next == nullptr || *series.due < *next->due)) next = &series;
    }
    if (next == nullptr) return std::nullopt;
    // The first write of a series was paid for when it was recorded.
    if (next->write.created && !Pay(next->write.event.about, now)) {
      next->due = now + limits_.refill;
      continue;
    }
    next->due.reset();
    next->out = true;
    return next->write;
  }
}

void EventSeries::Written(const EventWrite& write, Outcome outcome, SteadyTime now) {
  const auto found = series_.find(KindOf(write.event));
  if (found == series_.end()) return;
  auto& series = found->second;
  series.out = false;
  series.not_before = now + limits_.between_counts;
  if (outcome == Outcome::kAgain && ++series.failures <= 1) {
    series.due = series.not_before;
    return;
  }
  if (outcome != Outcome::kWritten) {
    series_.erase(found);
    return;
  }
  series.failures = 0;
  series.write.created = true;
  if (series.write.count > write.count) series.due = series.not_before;
}

std::optional<SteadyTime> EventSeries::NextDue() const {
  std::optional<SteadyTime> earliest;
  for (const auto& [kind, series] : series_) {
    if (series.due && (!earliest || *series.due < *earliest)) earliest = series.due;
  }
  return earliest;
}

bool EventSeries::Pay(const ObjectReference& about, SteadyTime now) {
  const auto found = budgets_.try_emplace(about, Budget{limits_.burst, now}).first;
  auto& budget = found->second;
  const auto passed = std::chrono::duration<double>(now - budget.filled);
  budget.tokens = std::min(limits_.burst,
                           budget.tokens + passed / std::chrono::duration<double>(limits_.refill));
  budget.filled = now;
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

bool EventSeries::MakeRoom(SteadyTime now) {
  if (series_.size() >= limits_.most_series) {
    std::erase_if(series_, [&](const auto& entry) {
      const auto& series = entry.second;
      return !series.out && !series.due && now - series.recorded >= limits_.series_ends;
    });
  }
  // A budget that is full again is the same as none.
  if (budgets_.size() >= 2 * limits_.most_series) {
    std::erase_if(budgets_, [&](const auto& entry) {
      const std::chrono::duration<double> passed = now - entry.second.filled;
      const std::chrono::duration<double> refill = limits_.refill;
      return entry.second.tokens + passed / refill >= limits_.burst;
    });
  }
  return series_.size() < limits_.most_series && budgets_.size() < 2 * limits_.most_series;
}

json::object EventJson(const EventWrite& write, const std::string& instance) {
  const auto& [event, name, first, last, count, created] = write;
  json::object regarding{{"apiVersion", event.about.api_version},
                         {"kind", event.about.kind},
                         {"name", event.about.key.name}};
  if (!event.about.key.ns.empty()) regarding["namespace"] = event.about.key.ns;
  if (!event.about.uid.empty()) regarding["uid"] = event.about.uid;
  json::object object{{"apiVersion", "events.k8s.io/v1"},
                      {"kind", "Event"},
                      {"metadata", {{"name", name}, {"namespace", EventNamespace(event)}}},
                      {"eventTime", FormatMicroTime(first)},
                      {"reportingController", kReporter},
                      {"reportingInstance", Cut(instance, 128)},
                      {"action", event.action},
                      {"reason", event.reason},
                      {"type", event.warning ? "Warning" : "Normal"},
                      {"regarding", std::move(regarding)},
                      {"note", event.note}};
  if (count > 1) object["series"] = SeriesJson(write);
  return object;
}

json::object SeriesPatch(const EventWrite& write) { return {{"series", SeriesJson(write)}}; }

std::string EventNamespace(const Event& event) {
  return event.about.key.ns.empty() ? "default" : event.about.key.ns;
}

}  // namespace prewarm::controller::kube
