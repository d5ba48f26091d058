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
  Right right;
};

inline constexpr std::array<MethodPolicy, 11> kGrpcPolicy{{
    {"CreatePrewarm", {Action::kCreate, Subject::kPrewarms}},
    {"PlanPrewarm", {Action::kCreate, Subject::kPrewarms}},
    {"GetPrewarm", {Action::kGet, Subject::kPrewarms}},
    {"ListPrewarms", {Action::kList, Subject::kPrewarms}},
    {"CancelPrewarm", {Action::kDelete, Subject::kPrewarms}},
    {"WatchPrewarm", {Action::kWatch, Subject::kPrewarms}},
    {"ListNodes", {Action::kList, Subject::kNodes}},
    {"GetNode", {Action::kGet, Subject::kNodes}},
    {"ListVolumes", {Action::kList, Subject::kVolumes}},
    {"GetVolume", {Action::kGet, Subject::kVolumes}},
    {"ListFiles", {Action::kGet, Subject::kVolumes}},
}};

consteval Right RightOf(std::string_view method) {
  for (const auto& entry : kGrpcPolicy) {
    if (entry.method == method) return entry.right;
  }
  throw "the method has no entry in kGrpcPolicy";
}

}  // namespace prewarm::controller
