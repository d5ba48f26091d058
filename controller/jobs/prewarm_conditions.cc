#include "controller/jobs/prewarm_conditions.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "common/base/rfc3339.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

std::string OfNodes(std::size_t done, std::size_t all) {
  return std::to_string(done) + " of " + std::to_string(all) + " nodes";
}

// A sum of what agents say may be anything.
std::uint64_t Add(std::uint64_t a, std::uint64_t b) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  a = std::min(a, kMost);
  return a + std::min(b, kMost - a);
}

// While there is no end: as far as it is. Afterwards why it ended.
std::string ReasonOf(const Prewarm& prewarm, const std::string& while_open) {
  if (!IsFinal(prewarm.state)) return while_open;
  return prewarm.reason.empty() ? "Ended" : prewarm.reason;
}

kube::Condition OnTime(const Prewarm& prewarm) {
  const auto deadline = *prewarm.spec.deadline;
  const auto words = "the deadline is " + FormatRfc3339(deadline);
  if (prewarm.state == PrewarmState::kSucceeded && prewarm.ended_at) {
    const bool met = *prewarm.ended_at <= deadline;
    return kube::MakeCondition("OnTime", met, met ? "Met" : "Missed", words);
  }
  if (IsFinal(prewarm.state)) return kube::MakeCondition("OnTime", false, "NotReached", words);
  if (!prewarm.expected_at) return {"OnTime", "Unknown", "NoForecast", words, 0, std::nullopt};
  const bool early = *prewarm.expected_at <= deadline;
  return kube::MakeCondition("OnTime", early, early ? "InTime" : "Late", words);
}

}  // namespace

unsigned PrewarmProgress::Percent() const {
  if (planned_bytes == 0 || stored_bytes >= planned_bytes) return 100;
  return static_cast<unsigned>(static_cast<double>(stored_bytes) * 100 /
                               static_cast<double>(planned_bytes));
}

PrewarmProgress ProgressOf(const Prewarm& prewarm) {
  PrewarmProgress sum;
  sum.nodes = prewarm.tasks.size();
  for (const auto& [node, task] : prewarm.tasks) {
    const auto& progress = task.progress;
    const bool visible = task.state == TaskState::kVisible;
    const bool stored = visible || task.state == TaskState::kStored;
    const auto missing = stored ? 0 : progress.MissingBytes();
    sum.planned_bytes = Add(sum.planned_bytes, progress.planned_bytes);
    sum.stored_bytes = Add(sum.stored_bytes, progress.planned_bytes - missing);
    if (visible) sum.visible_bytes = Add(sum.visible_bytes, progress.planned_bytes);
    sum.stored_nodes += stored ? 1 : 0;
    sum.visible_nodes += visible ? 1 : 0;
    sum.failed_nodes += task.state == TaskState::kFailed ? 1 : 0;
  }
  return sum;
}

kube::Conditions PrewarmConditions(const Prewarm& prewarm) {
  const auto progress = ProgressOf(prewarm);
  const bool refused = prewarm.reason == "Refused";
  const bool planned = progress.nodes > 0;
  const bool stored = planned && progress.stored_nodes == progress.nodes;
  const bool visible = planned && progress.visible_nodes == progress.nodes;
  const bool complete = prewarm.state == PrewarmState::kSucceeded;
  const bool failed = prewarm.state == PrewarmState::kFailed;
  const auto& message = prewarm.message;
  kube::Conditions conditions{
      refused ? kube::MakeCondition("Accepted", false, "Refused", message)
              : kube::MakeCondition("Accepted", true, "Accepted", "it is durable"),
      kube::MakeCondition("Stored", stored, stored ? "AllStored" : ReasonOf(prewarm, "Fetching"),
                          OfNodes(progress.stored_nodes, progress.nodes)),
      kube::MakeCondition("Visible", visible,
                          visible ? "AllVisible" : ReasonOf(prewarm, "NotEverywhere"),
                          OfNodes(progress.visible_nodes, progress.nodes)),
      kube::MakeCondition("Complete", complete,
                          ReasonOf(prewarm, prewarm.spec.keep ? "Kept" : "Running"), message),
      kube::MakeCondition("Failed", failed, failed ? ReasonOf(prewarm, "") : "NotFailed",
                          failed ? message : OfNodes(progress.failed_nodes, progress.nodes))};
  if (prewarm.spec.deadline) conditions.push_back(OnTime(prewarm));
  return conditions;
}

json::object PrewarmProgressObject(const Prewarm& prewarm) {
  const auto progress = ProgressOf(prewarm);
  json::object object{{"plannedBytes", progress.planned_bytes},
                      {"storedBytes", progress.stored_bytes},
                      {"visibleBytes", progress.visible_bytes},
                      {"stored", nullptr},
                      {"expectedAt", nullptr}};
  if (progress.nodes > 0) object["stored"] = std::to_string(progress.Percent()) + "%";
  if (prewarm.expected_at && !IsFinal(prewarm.state)) {
    object["expectedAt"] =
        FormatRfc3339(std::chrono::floor<std::chrono::seconds>(*prewarm.expected_at));
  }
  return object;
}

}  // namespace prewarm::controller
