#include "controller/plan/forecast.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>

#include "common/base/units.h"

namespace prewarm::controller {
namespace {

using std::chrono::seconds;

constexpr double kFarthestSeconds = 10.0 * 365 * 86400;

std::string FormatRate(std::uint64_t bytes_per_second) {
  constexpr std::array<const char*, 5> kUnits{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
  auto value = static_cast<double>(bytes_per_second);
  std::size_t unit = 0;
  // From 999.5 on, because that would print as 1000 of the smaller unit.
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f %s", unit > 0 && value < 9.95 ? 1 : 0, value,
                kUnits.at(unit));
  return text.data();
}

// The time of day; with its date if that is not within a day of now.
std::string FormatMoment(WallTime when, WallTime now) {
  auto clock_time = FormatClockTime(when);
  if (when - now < std::chrono::hours(24) && now - when < std::chrono::hours(24)) return clock_time;
  const std::time_t whole = std::chrono::system_clock::to_time_t(when);
  std::tm local{};
  localtime_r(&whole, &local);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d ", &local);
  return date.data() + clock_time;
}

// "70 s": people compare short times in seconds.
std::string FormatSpan(seconds span) {
  if (span < seconds(100)) return std::to_string(span.count()) + " s";
  return FormatDuration(span);
}

struct Outlook {
  std::size_t unfinished = 0;  // nodes that still have to do something
  std::size_t unknown = 0;     // of these, those that nothing is known of
  double seconds = 0;          // until the last of the others is done
};

Outlook OutlookOf(const std::string& prewarm, std::span<const QueuedTask> tasks,
                  const std::map<TaskKey, double>& finish) {
  Outlook outlook;
  for (const auto& task : tasks) {
    if (task.prewarm != prewarm) continue;
    ++outlook.unfinished;
    if (const auto at = finish.find({task.prewarm, task.node}); at != finish.end()) {
      outlook.seconds = std::max(outlook.seconds, at->second);
    } else {
      ++outlook.unknown;
    }
  }
  return outlook;
}

// In whole seconds of the shown times, so that a reader who subtracts gets the same.
std::string DeadlineWords(WallTime shown_finish, WallTime deadline, WallTime now) {
  const auto words = ", deadline " + FormatMoment(deadline, now) + ": ";
  const auto late =
      std::chrono::floor<seconds>(shown_finish) - std::chrono::floor<seconds>(deadline);
  if (late > seconds(0)) return words + FormatSpan(late) + " late";
  if (late == seconds(0)) return words + "just in time";
  return words + FormatSpan(-late) + " to spare";
}

}  // namespace

bool GoesBefore(const Rank& a, const Rank& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  if (a.deadline != b.deadline) {
    if (!a.deadline || !b.deadline) return a.deadline.has_value();
    return *a.deadline < *b.deadline;
  }
  return a.age < b.age;
}

std::uint64_t ExpectedRate(const Node& node, const FleetLimits& limits) {
  // Not within node.download_limit: that is what the budget last left to it, not what it can do.
  auto rate = node.measured_store_rate != 0 ? node.measured_store_rate : limits.node_download;
  for (const auto cap : {node.measured_disk_rate, limits.node_download, limits.node_disk_write}) {
    if (cap != 0) rate = std::min(rate, cap);
  }
  return rate;
}

Rank RankOf(const Prewarm& prewarm, std::string_view node) {
  const auto* target = prewarm.spec.TargetAt(node);
  const auto age = prewarm.age != 0 ? prewarm.age : std::numeric_limits<std::uint64_t>::max();
  return {target != nullptr ? target->priority : prewarm.spec.priority, prewarm.spec.deadline, age};
}

void AppendQueued(const Prewarm& prewarm, std::vector<QueuedTask>& queue) {
  for (const auto& [node, task] : prewarm.tasks) {
    if (!NeedsBytes(task.state)) continue;
    queue.push_back({prewarm.id, node, RankOf(prewarm, node), task.progress.MissingBytes()});
  }
}

WallTime MomentIn(double seconds, WallTime now) {
  const std::chrono::duration<double> span(std::min(seconds, kFarthestSeconds));
  return now + std::chrono::duration_cast<WallTime::duration>(span);
}

Forecast ForecastOf(const std::string& prewarm, std::optional<WallTime> deadline,
                    std::span<const QueuedTask> tasks, const std::map<TaskKey, double>& seconds_to,
                    std::uint64_t bytes_per_second, WallTime now) {
  Forecast forecast;
  const auto outlook = OutlookOf(prewarm, tasks, seconds_to);
  if (outlook.unfinished > 0 && outlook.unknown == outlook.unfinished) {
    forecast.words = "no forecast: nothing is known of the rates yet";
    if (deadline) forecast.words += ", deadline " + FormatMoment(*deadline, now);
    return forecast;
  }
  forecast.bytes_per_second = bytes_per_second;
  forecast.finish = MomentIn(outlook.seconds, now);
  if (deadline && *forecast.finish > *deadline) forecast.late = *forecast.finish - *deadline;
  const WallTime shown = std::chrono::ceil<seconds>(*forecast.finish);
  forecast.words = "will finish " + FormatMoment(shown, now);
  if (deadline) forecast.words += DeadlineWords(shown, *deadline, now);
  if (bytes_per_second != 0) {
    forecast.words += "; at " + FormatRate(bytes_per_second) + " from the store";
  }
  if (outlook.unknown > 0) {
    forecast.words += "; without " + std::to_string(outlook.unknown) + " of " +
                      std::to_string(outlook.unfinished) + " nodes, whose rates are not known";
  }
  return forecast;
}

}  // namespace prewarm::controller
