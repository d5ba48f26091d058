#include "controller/bento/file_rules.h"

#include <algorithm>

namespace prewarm::controller::bento {

bool SkipRules::Skips(std::string_view name, bool safetensors_beside) const {
  const auto matches = [&](const std::string& pattern) { return GlobMatches(pattern, name); };
  return std::ranges::any_of(always, matches) ||
         (safetensors_beside && std::ranges::any_of(beside_safetensors, matches));
}

}  // namespace prewarm::controller::bento
