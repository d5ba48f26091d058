// The nodes that could hold a workload's models besides those where its pods are bound, each with
// how good it is. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/demand/cluster_index.h"
#include "controller/demand/rejections.h"
#include "controller/demand/targets.h"

namespace prewarm::controller::demand {

struct Candidate {
  const NodeState* state = nullptr;
  std::uint32_t number = 0;  // in the order of names; those that are only claimed come last
  bool claimed = false;      // no Node object yet, only a claim that names it
  bool fresh = false;        // coming or new
  bool previous = false;
  // Smaller is better, from the first to the last.
  struct Merit {
    std::int32_t when = 0;        // takes a pod now, when it is ready, when others are gone
    std::int32_t agent = 0;       // connected, away
    std::int32_t preference = 0;  // the scheduler's, negated
    std::int64_t room = 0;        // pods that fit, negated
    std::int32_t missing = 0;     // tenths of the bytes
    DiskClass disk = DiskClass::kUnknown;
    std::int32_t space = 0;  // how tight, in classes
    bool spot = false;
    auto operator<=>(const Merit&) const = default;
  };
  Merit merit;
};

// By merit, then by number; without regard to what was before.
bool BetterThan(const Candidate& a, const Candidate& b);

class Candidates {
 public:
  enum class Which : std::uint8_t { kNone, kFresh, kAll };  // fresh: coming or new

  // All outlive this. `taken`: nodes with bound pods of the workload, which are no candidates.
  Candidates(const ClusterIndex& cluster, const TargetRequest& request, const CacheOf& cache_of,
             const std::set<std::string_view>& taken, Which which);

  [[nodiscard]] const std::vector<Candidate>& list() const { return list_; }
  [[nodiscard]] const std::vector<Expected>& expected() const { return expected_; }
  [[nodiscard]] Rejections& rejections() { return rejections_; }

 private:
  void Consider(const NodeState& state, bool claimed);
  [[nodiscard]] const NodeState* WithoutOldPods(const NodeState* state);
  [[nodiscard]] Candidate Rate(const NodeState& state, const CacheFacts& facts) const;

  const TargetRequest& request_;
  const CacheOf& cache_of_;
  std::map<std::string_view, Resources> old_pods_;  // of versions before, by node
  std::deque<NodeState> adjusted_;                  // what the candidates on such nodes point to
  std::deque<std::string> words_;                   // what the rejections point to
  std::vector<Candidate> list_;
  std::vector<Expected> expected_;
  Rejections rejections_;
};

}  // namespace prewarm::controller::demand
