// DivideBudget: the fleet's origin budget in whole bytes per second.
#include <algorithm>
#include <limits>

#include "controller/plan/fair_share.h"
#include "controller/plan/forecast.h"

namespace prewarm::controller {
namespace {

constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();

// What keeps a node that gets nothing from being without a limit.
constexpr std::uint64_t kLeastRate = 1;

}  // namespace

std::map<std::string, std::uint64_t> DivideBudget(std::span<const NodeDemand> demands,
                                                  std::uint64_t budget) {
  std::map<std::string, std::uint64_t> rates;
  if (budget == 0) {
    for (const auto& demand : demands) rates[demand.node] = 0;
    return rates;
  }
  std::vector<const NodeDemand*> by_name;
  by_name.reserve(demands.size());
  for (const auto& demand : demands) by_name.push_back(&demand);
  std::ranges::sort(by_name, {}, [](const NodeDemand* demand) { return demand->node; });

  // Everybody's least rate is put aside first, so that the sum stays within the budget.
  std::vector<Claim<std::uint64_t>> claims;
  claims.reserve(by_name.size());
  for (std::size_t at = 0; at < by_name.size(); ++at) {
    const auto usable = by_name[at]->usable_rate;
    claims.push_back({by_name[at]->best, usable == 0 ? kAny : usable - kLeastRate, at, 0});
  }
  std::ranges::sort(claims, ServedBefore<std::uint64_t>);
  const auto aside = kLeastRate * claims.size();
  ShareOut<std::uint64_t>(claims, budget > aside ? budget - aside : 0);
  for (const auto& claim : claims) rates[by_name[claim.owner]->node] = claim.share + kLeastRate;
  return rates;
}

}  // namespace prewarm::controller
