// Which right each method of the public service needs: the one table. A handler asks it while it is
// compiled, so that a method without an entry does not build; one without a handler answers
// UNIMPLEMENTED to everybody.
#pragma once

#include <array>
#include <string_view>

#include "controller/api/authenticator.h"

namespace prewarm::controller {

struct MethodPolicy {
  std::string_view method;
  Verb verb;
};

inline constexpr std::array<MethodPolicy, 11> kGrpcPolicy{{
    {"CreatePrewarm", Verb::kCreate},
    {"PlanPrewarm", Verb::kCreate},
    {"GetPrewarm", Verb::kGet},
    {"ListPrewarms", Verb::kGet},
    {"CancelPrewarm", Verb::kCancel},
    {"WatchPrewarm", Verb::kGet},
    {"ListNodes", Verb::kGet},
    {"GetNode", Verb::kGet},
    {"ListVolumes", Verb::kGet},
    {"GetVolume", Verb::kGet},
    {"ListFiles", Verb::kGet},
}};

consteval Verb VerbOf(std::string_view method) {
  for (const auto& entry : kGrpcPolicy) {
    if (entry.method == method) return entry.verb;
  }
  throw "the method has no entry in kGrpcPolicy";
}

}  // namespace prewarm::controller
