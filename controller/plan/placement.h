// Which nodes a prewarm goes to, and what has to be ordered or called off so that the world is as
// the accepted prewarms want it. Pure: same input, same answer.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "controller/plan/forecast.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

struct Placement {
  struct Rejected {
    std::string node;
    // "needs 12.0 GiB, 3.00 GiB more than it has room for", "drains", "is not connected"
    std::string reason;
    std::uint64_t missing_bytes = 0;  // where room is what is missing
  };
  std::vector<std::string> nodes;  // in order of preference
  std::vector<Rejected> rejected;  // matched by the selector or named in it, but unfit
};

// Nodes that match and can hold `bytes` of the volume with this UUID, the best first: those that
// would be done first, then those that need least, then the most room, then by name. When a node is
// done follows from what it needs and from `queued`, what it still has to fetch, at its expected
// rate; where the rate is not known the lowest known one is assumed. Bytes of the volume already
// cached are not needed again; room is what is available less what is queued.
//
// With `count`, therefore, one more node to choose from never makes a prewarm finish later, as long
// as the rates are known and the fleet's origin budget is not what all wait for, or the nodes are
// alike and idle. Without `count` one more node is more work, but no node's part finishes later
// unless the budget is short.
Placement Place(const NodeSelector& selector, std::uint64_t bytes, const std::string& volume_uuid,
                std::span<const Node> nodes, const std::map<std::string, std::uint64_t>& queued,
                const FleetLimits& limits = {});

// What an agent holds, as it says.
struct HeldTask {
  std::string prewarm;
  std::uint64_t generation = 0;
  TaskState state = TaskState::kQueued;
  Rank rank;  // as last ordered on this stream; default if that is not known
};

struct Order {
  std::string node;
  std::string prewarm;
  std::uint64_t generation = 0;
  Rank rank;
  bool with_plan = true;  // false: the agent has the plan, only the rank changed
  bool operator==(const Order&) const = default;
};
struct Cancel {
  std::string node;
  std::string prewarm;
  std::uint64_t generation = 0;
  bool operator==(const Cancel&) const = default;
};
struct Forget {
  std::string node;
  std::string prewarm;
  std::uint64_t generation = 0;
  bool operator==(const Forget&) const = default;
};

// What to say to the agents. Printing it is the dry run.
struct Actions {
  std::vector<Order> orders;    // best rank first
  std::vector<Cancel> cancels;  // of unfinished tasks that nobody wants any more
  std::vector<Forget> forgets;  // of finished tasks whose end is durable, and of unknown ones
  bool operator==(const Actions&) const = default;
};

// Compares what the prewarms want of the connected nodes with what those hold.
//  - an unfinished task of a prewarm that is not final, not held or held in an older generation:
//    order
//  - held with another rank: order without plan
//  - held and unfinished, but the prewarm is final, unknown, or does not want it: cancel
//  - held and finished, and recorded as finished (same generation) or not wanted: forget
//  - held as cancelled, but still wanted (the agent gave it back): forget, and order again
//  - held in a newer generation than is wanted: cancel or forget, and order once that is gone
// To be sent in this order: cancels, forgets, orders.
Actions Difference(std::span<const Prewarm> prewarms,
                   const std::map<std::string, std::vector<HeldTask>>& held_by_connected_node);

}  // namespace prewarm::controller
