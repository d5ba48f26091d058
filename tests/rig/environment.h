// An environment of a test's own, for what looks variables up by name.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace prewarm::rig {

using Variables = std::map<std::string, std::string, std::less<>>;

inline auto With(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

}  // namespace prewarm::rig
