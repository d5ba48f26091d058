#include "controller/demand/policy.h"

#include <tuple>

namespace prewarm::controller::demand {

const Policy& PolicyFor(std::string_view name_space, const Labels& workload_labels,
                        std::span<const Policy> policies) {
  static const Policy kBuiltIn;
  const Policy* best = nullptr;
  for (const auto& policy : policies) {
    if (policy.name_space != name_space || !policy.selector.Matches(workload_labels)) continue;
    const auto demands = policy.selector.requirements.size();
    const auto most = best == nullptr ? 0 : best->selector.requirements.size();
    if (best == nullptr || demands > most || (demands == most && policy.name < best->name)) {
      best = &policy;
    }
  }
  return best == nullptr ? kBuiltIn : *best;
}

}  // namespace prewarm::controller::demand
