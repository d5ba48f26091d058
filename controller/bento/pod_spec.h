// What we take from a pod's specification: the part that scheduling reads, cut out as JSON, and the
// volumes that claims provide, with where they are mounted. Pure.
#pragma once

#include <boost/json/object.hpp>

#include "controller/bento/object_fields.h"
#include "controller/bento/workload.h"

namespace prewarm::controller::bento {

// Adds to `component`. `pod_spec` may be what a custom resource repeats of one.
void AddScheduling(ObjectFields pod_spec, Component& component);
void AddVolumes(ObjectFields pod_spec, Component& component);

// A container's requests and limits, or what a custom resource says in their place: Yatai's "gpu"
// is a limit of nvidia.com/gpu, and its "custom" holds more names. What is only limited is
// requested too, as the API server has it for pods.
void AddContainer(std::string_view name, ObjectFields resources, Component& component);

// Those environment variables that change how a bento reads its models.
void AddEnvs(ObjectFields& holder, std::string_view list, Component& component);

}  // namespace prewarm::controller::bento
