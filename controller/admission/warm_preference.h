// What a mutating webhook adds to pods: the wish, never the demand, to run on a node where the
// models of their workload are warm. Pure: a review in, an answer out.
//
// The wish is a preferred node affinity to a label, so nothing of the cluster has to be known: the
// label's name follows from the pod alone, and the leader puts it onto the nodes
// (controller/demand/warm_label.h). A label that no node carries changes nothing.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::controller {

// The body of an AdmissionReview (admission.k8s.io/v1, at most 3 MiB as the API server sends) with
// the answer in it, which always allows. A pod of a ReplicaSet or StatefulSet gets its wish by a
// JSON Patch (RFC 6902), unless it has it already; everything else stays as it is.
// kInvalidArgument: not a review.
Result<std::string> AnswerReview(std::string_view body);

}  // namespace prewarm::controller
