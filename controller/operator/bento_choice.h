// The decisions on the way from a Bento that a caller names to what is warmed for it. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "controller/api/problem.h"
#include "controller/bento/model_plan.h"
#include "controller/reconcile/bento_resolver.h"

namespace prewarm::controller {

// A Bento or BentoRequest of the namespace.
struct BentoName {
  std::string name;  // of the object
  std::string tag;
  auto operator<=>(const BentoName&) const = default;
};

// The object that is meant: by its name, else by its tag.
ApiResult<std::string> ChooseBento(std::string_view asked, std::span<const BentoName> known);

// All models of the Bento, or the reason why not: a prewarm of some of them would be called done
// while the pods still wait for the others.
ApiResult<ModelPaths> ChoosePaths(const bento::ModelPlan& models);

}  // namespace prewarm::controller
