// Kinds of workload that the configuration adds to those that Prewarm knows: their keys, and the
// mappings that they become.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/process/config_schema.h"
#include "controller/bento/workload_mapping.h"
#include "controller/controller_config.h"

namespace prewarm::controller {

// The keys of an entry of `workloads`, bound to `kind`, which must outlive them. A path that makes
// no sense is refused where it is set.
std::vector<ConfigKey> WorkloadKindKeys(WorkloadKindConfig& kind);

// What no single key can tell: a missing one, two entries for one resource.
void ValidateWorkloadKinds(const std::map<std::string, WorkloadKindConfig>& kinds,
                           Problems& problems);

// The built-in mappings and those of `kinds`, which must be valid; one of a resource that is built
// in takes the place of the built-in one.
std::vector<bento::WorkloadMapping> WorkloadMappings(
    const std::map<std::string, WorkloadKindConfig>& kinds);

}  // namespace prewarm::controller
