// Kubernetes' JSON to values. Unknown fields are passed over; a field that is used and has the
// wrong type refuses its object, with its name and path: kInvalidArgument, "pod a/b:
// spec.containers[0].resources is a number, not an object". Nothing throws, and an object beyond
// the bounds is refused, whatever it holds.
#pragma once

#include <boost/json/object.hpp>
#include <optional>

#include "common/base/result.h"
#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

Result<Node> NodeFromJson(const boost::json::object& object);
Result<NodeClaim> NodeClaimFromJson(const boost::json::object& object);  // karpenter.sh/v1
Result<Pod> PodFromJson(const boost::json::object& object);
Result<Hpa> HpaFromJson(const boost::json::object& object);  // autoscaling/v2
Result<Deployment> DeploymentFromJson(const boost::json::object& object);
Result<ReplicaSet> ReplicaSetFromJson(const boost::json::object& object);
// Of core/v1 and of events.k8s.io/v1; nothing if the event is another one.
Result<std::optional<ScaleUp>> ScaleUpFromJson(const boost::json::object& object);

}  // namespace prewarm::controller::demand
