// The mark of nodes where the models of a workload are warm. Pure.
#pragma once

#include <string>
#include <string_view>

namespace prewarm::controller::demand {

inline constexpr std::string_view kWarmPrefix = "warm.prewarm.dev/";

// "warm.prewarm.dev/team-a.chat": the mark of nodes where the Deployment's models are warm. At most
// 63 characters behind the slash, as for every label; what is longer ends in a hash of the whole.
// `deployment`: or the StatefulSet that owns the pods.
std::string WarmLabel(std::string_view name_space, std::string_view deployment);

}  // namespace prewarm::controller::demand
