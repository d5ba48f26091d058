// The scheduling part of a pod's specification as a value. `pod_spec` is the spec of a pod or of a
// pod template, or what a custom resource repeats of it; containers, where they are missing, are
// given by the caller as Resources. Errors as in objects_json.h.
#pragma once

#include <boost/json/object.hpp>

#include "common/base/result.h"
#include "controller/demand/constraints.h"

namespace prewarm::controller::demand {

Result<Constraints> ConstraintsFromJson(const boost::json::object& pod_spec);

// What the scheduler reserves for the pod.
Result<Resources> RequestsFromJson(const boost::json::object& pod_spec);

// Label selector as metav1.LabelSelector.
Result<LabelSelector> LabelSelectorFromJson(const boost::json::object& selector);

}  // namespace prewarm::controller::demand
