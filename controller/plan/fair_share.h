// Who gets how much of a budget: by rank, and fairly among equals. One rule for what agents are
// allowed now (whole bytes) and for what is predicted (real numbers). Pure.
#pragma once

#include <algorithm>
#include <span>

#include "controller/plan/forecast.h"

namespace prewarm::controller {

// Age makes no class of its own: of two prewarms that are equally urgent on different nodes, the
// older would otherwise hold a budget that its nodes may be unable to use.
inline bool EquallyUrgent(const Rank& a, const Rank& b) {
  return a.priority == b.priority && a.deadline == b.deadline;
}

template <class Amount>
struct Claim {
  Rank rank;
  Amount usable{};        // the most it can take
  std::size_t owner = 0;  // whose it is; orders equal claims
  Amount share{};         // the answer
};

template <class Amount>
bool ServedBefore(const Claim<Amount>& a, const Claim<Amount>& b) {
  if (!EquallyUrgent(a.rank, b.rank)) return GoesBefore(a.rank, b.rank);
  if (a.usable != b.usable) return a.usable < b.usable;
  return a.owner < b.owner;
}

// Fills in the shares of claims sorted by ServedBefore. Equal ranks share evenly; as the most
// modest of them comes first, what it leaves goes to those after it. Answers what nobody could use.
template <class Amount>
Amount ShareOut(std::span<Claim<Amount>> claims, Amount budget) {
  for (std::size_t begin = 0; begin < claims.size();) {
    auto end = begin + 1;
    while (end < claims.size() && EquallyUrgent(claims[end].rank, claims[begin].rank)) ++end;
    for (; begin < end; ++begin) {
      auto& claim = claims[begin];
      claim.share = std::min(claim.usable, budget / static_cast<Amount>(end - begin));
      budget -= claim.share;
    }
  }
  return budget;
}

}  // namespace prewarm::controller
