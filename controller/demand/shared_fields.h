// What several kinds of Kubernetes objects say in the same words: selectors, taints, resources,
// conditions, owners, what a pod requests. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "controller/demand/fields.h"
#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

LabelSelector ReadLabelSelector(const Fields& selector);
// {key, operator, values} of the list `name`. Gt and Lt are refused where there are no numbers to
// compare.
std::vector<Requirement> ReadRequirements(const Fields& holder, std::string_view name,
                                          bool numbers);
std::vector<Taint> ReadTaints(const Fields& holder, std::string_view name);
std::optional<Taint::Effect> EffectNamed(std::string_view name);
Resources ReadResources(const Fields& holder, std::string_view name);
// The status of the condition of this type in status.conditions.
Truth ConditionOf(const Fields& status, std::string_view type);
Owner ReadController(const Fields& metadata);
// What the scheduler reserves for a pod: per resource the sum of its containers and sidecars, or
// what an init container needs beside the sidecars started before it, if that is more; plus
// overhead.
Resources ReadPodRequests(const Fields& pod_spec);

}  // namespace prewarm::controller::demand
