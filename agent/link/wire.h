// Messages of the agent link and the agent's values: the only place where both are known. What
// comes from the wire is checked for what the type cannot say; texts that go out are valid UTF-8.
#pragma once

#include <prewarm/v1/agent_link.pb.h>

#include <map>
#include <string>
#include <vector>

#include "agent/tasks/task_values.h"
#include "common/base/result.h"
#include "common/juicefs/block_plan.h"

namespace prewarm::agent {

// Who dials.
struct NodeIdentity {
  std::string node;
  std::string version;
  std::string instance;  // random, new at every start of the process
  std::map<std::string, std::string> labels;
};

v1::AgentMessage HelloMessage(const NodeIdentity& identity, const NodeState& state,
                              const std::vector<TaskReport>& tasks, std::uint64_t newest_epoch);
v1::AgentMessage StatusMessage(const NodeState& state);
// As many messages as it takes to keep each well below 4 MiB; none for no reports.
std::vector<v1::AgentMessage> ReportMessages(const std::vector<TaskReport>& reports);

TaskId FromWire(const v1::TaskId& id);
TaskOrder FromWire(const v1::TaskOrder& order);
VolumeDescriptor FromWire(const v1::Volume& volume);
NodeLimits FromWire(const v1::NodeLimits& limits);
// Appends the part's runs. kInvalidArgument: columns of different lengths.
Status AppendRuns(const v1::TaskPlan& part, std::vector<juicefs::BlockRun>& runs);

}  // namespace prewarm::agent
