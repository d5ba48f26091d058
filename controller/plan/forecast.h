// When work will be done, from what is queued and how fast each node goes. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

struct Forecast {
  std::optional<WallTime> finish;      // absent: nothing is known about the rates
  std::optional<Duration> late;        // after the deadline
  std::uint64_t bytes_per_second = 0;  // assumed, over all nodes of the prewarm
  // "will finish 12:03:10, deadline 12:02:00: 70 s late; at 1.4 GB/s from the store"
  std::string words;
};

// How urgent a task is: the order in which agents work, too.
struct Rank {
  int priority = 0;                  // larger first
  std::optional<WallTime> deadline;  // earlier first, none last
  std::uint64_t age = 0;             // smaller first
  bool operator==(const Rank&) const = default;
};
bool GoesBefore(const Rank& a, const Rank& b);
// Of a prewarm's task on that node.
Rank RankOf(const Prewarm& prewarm, std::string_view node);

// One unfinished task on a node.
struct QueuedTask {
  std::string prewarm;
  std::string node;
  Rank rank;
  std::uint64_t missing_bytes = 0;
};
// Adds the tasks of a prewarm that still have to fetch something. One that was not accepted yet
// (age 0) comes after its equals.
void AppendQueued(const Prewarm& prewarm, std::vector<QueuedTask>& queue);

// What a node can be expected to fetch per second when it has work: its measured store rate within
// its disk's and its limits. One that was never measured is taken for able to use its download
// limit; without that, 0: not known.
std::uint64_t ExpectedRate(const Node& node, const FleetLimits& limits);

// Seconds from now until each task is done, by (prewarm, node): simulates all nodes working their
// queues by rank, the fleet's origin budget divided among the nodes as DivideBudget does at every
// moment (in fractions where that rounds). A task with nothing missing is done at once. Tasks on
// nodes that are not connected, or of unknown rate where no budget says what they can get at most,
// are left out. Of more than 2,000 moments at which something ends, the later ones are taken
// together within a thousandth of the time from now.
using TaskKey = std::pair<std::string, std::string>;
std::map<TaskKey, double> PredictFinish(std::span<const Node> nodes,
                                        std::span<const QueuedTask> tasks,
                                        const FleetLimits& limits);

// The moment in so many seconds, or in ten years if that is earlier: further away nobody plans, and
// time points would overflow.
WallTime MomentIn(double seconds, WallTime now);

// The forecast of one prewarm out of that. With nothing left to fetch it finishes now. Nodes that
// are left out above are left out here too, and the words say how many; if all are, nothing is
// known.
Forecast ForecastOf(const std::string& prewarm, std::optional<WallTime> deadline,
                    std::span<const QueuedTask> tasks, const std::map<TaskKey, double>& seconds,
                    std::uint64_t bytes_per_second, WallTime now);

// Divides the fleet's origin budget: nodes whose best waiting task is more urgent (by priority,
// then deadline; age does not count here) are served first, up to what they can use; equals share
// evenly, and what one cannot use goes to the others. 0 in the answer means "no limit": that is the
// answer for a budget of 0, and a node that gets nothing gets 1, the least positive rate. The sum
// is within the budget unless it is less than 1 per node, and is all of it if the nodes can use it.
struct NodeDemand {
  std::string node;
  Rank best;                      // of its unfinished tasks
  std::uint64_t usable_rate = 0;  // 0: unknown, takes any
};
std::map<std::string, std::uint64_t> DivideBudget(std::span<const NodeDemand> demands,
                                                  std::uint64_t budget);

}  // namespace prewarm::controller
