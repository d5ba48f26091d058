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
    std::string
        reason;  // "needs 12 GiB, 3 GiB less than it has room for", "drains", "not connected"
    std::uint64_t missing_bytes = 0;  // where room is what is missing
  };
  std::vector<std::string> nodes;  // in order of preference
  std::vector<Rejected> rejected;  // matched by the selector, but unfit
};

// Nodes that match and can hold `bytes` of the volume with this UUID. With `count`, the best: those
// that hold most of the volume already, then those with the least queued, then the most room, then
// by name. `queued` is what each node still has to fetch. Bytes of the volume already cached count
// as room.
Placement Place(const NodeSelector& selector, std::uint64_t bytes, const std::string& volume_uuid,
                std::span<const Node> nodes, const std::map<std::string, std::uint64_t>& queued);

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
//  order
//  - held with another rank: order without plan
//  - held and unfinished, but the prewarm is final, unknown, or does not want it: cancel
//  - held and finished, and recorded as finished (same generation) or not wanted: forget
Actions Difference(std::span<const Prewarm> prewarms,
                   const std::map<std::string, std::vector<HeldTask>>& held_by_connected_node);

}  // namespace prewarm::controller
