// What answers the routes: reads the request, asks the PrewarmService, writes the answer. Who may
// call was decided before (rest_api.h).
#pragma once

#include "common/async/task.h"

namespace prewarm::controller {

struct RestCall;

namespace rest {

Task<void> ListPrewarms(RestCall& call);
Task<void> CreatePrewarm(RestCall& call);
Task<void> PlanPrewarm(RestCall& call);
Task<void> GetPrewarm(RestCall& call);
Task<void> CancelPrewarm(RestCall& call);
Task<void> FollowPrewarm(RestCall& call);  // rest_events.cc

Task<void> ListNodes(RestCall& call);
Task<void> GetNode(RestCall& call);
Task<void> ListVolumes(RestCall& call);
Task<void> GetVolume(RestCall& call);
Task<void> ListFiles(RestCall& call);

Task<void> OpenApi(RestCall& call);
Task<void> Health(RestCall& call);
Task<void> Ready(RestCall& call);
Task<void> MetricsPage(RestCall& call);
Task<void> Config(RestCall& call);

}  // namespace rest
}  // namespace prewarm::controller
