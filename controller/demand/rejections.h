// Nodes that cannot take a workload, put together by reason: of a thousand nodes it matters why,
// and for how many, not the list. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/demand/constraints.h"

namespace prewarm::controller::demand {

// Nodes that cannot take it for the same reason.
struct Rejected {
  std::string reason;  // "needs 1 nvidia.com/gpu, 0 free"; of amounts, the best node's
  std::uint32_t count = 0;
  std::vector<std::string> nodes;  // the first few that were added
  bool operator==(const Rejected&) const = default;
};
inline constexpr std::size_t kShownNodes = 5;

class Rejections {
 public:
  // The constraints and what is added outlive this.
  explicit Rejections(const Constraints& constraints) : constraints_(constraints) {}

  void Add(const NodeState& state, const Refusal& refusal);
  // A reason that is not about scheduling, the same words for all.
  void Add(std::string_view node, std::string_view words);
  // Most nodes first, then by reason.
  [[nodiscard]] std::vector<Rejected> Sorted() const;

 private:
  struct Group {
    const NodeState* state = nullptr;  // of the node with most free; nothing: words are given
    Refusal refusal;
    std::string_view words;
    std::uint32_t count = 0;
    std::vector<std::string_view> nodes;
  };
  [[nodiscard]] bool Same(const Group& group, const NodeState& state, const Refusal& refusal) const;
  static void Count(Group& group, std::string_view node);

  const Constraints& constraints_;
  std::vector<Group> groups_;  // few
};

}  // namespace prewarm::controller::demand
