#include "controller/bento/workload.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller::bento {

Workload WithRunners(Workload workload, const std::vector<std::string>& runners) {
  if (workload.components.empty()) return workload;
  for (const auto& name : runners) {
    const auto same = std::ranges::find(workload.components, name, &Component::name);
    if (same != workload.components.end()) continue;
    if (workload.components.size() == kMaxComponents) break;
    Component runner = workload.components.front();
    runner.name = name;
    runner.pod_labels["yatai.ai/bento-deployment-component-type"] = "runner";
    runner.pod_labels["yatai.ai/bento-deployment-component-name"] = name;
    workload.components.push_back(std::move(runner));
  }
  return workload;
}

}  // namespace prewarm::controller::bento
