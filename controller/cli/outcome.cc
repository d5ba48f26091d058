#include "controller/cli/outcome.h"

#include <algorithm>
#include <array>
#include <utility>

namespace prewarm::ctl {
namespace {

constexpr std::array<std::pair<v1::PrewarmState, const char*>, 7> kStates{{
    {v1::PREWARM_STATE_PENDING, "pending"},
    {v1::PREWARM_STATE_RUNNING, "running"},
    {v1::PREWARM_STATE_WARM, "warm"},
    {v1::PREWARM_STATE_SUCCEEDED, "succeeded"},
    {v1::PREWARM_STATE_FAILED, "failed"},
    {v1::PREWARM_STATE_CANCELLED, "cancelled"},
    {v1::PREWARM_STATE_SUPERSEDED, "superseded"},
}};

}  // namespace

bool IsSettled(const v1::Prewarm& prewarm) { return prewarm.state() >= v1::PREWARM_STATE_WARM; }

ExitCode ExitCodeOf(const v1::Prewarm& prewarm) {
  const auto visible = [](const v1::TaskStatus& task) { return task.state() == "visible"; };
  const bool some = std::ranges::any_of(prewarm.tasks(), visible);
  const bool all = std::ranges::all_of(prewarm.tasks(), visible);
  if (prewarm.state() == v1::PREWARM_STATE_SUCCEEDED || prewarm.state() == v1::PREWARM_STATE_WARM) {
    return all ? kExitDone : kExitPartly;
  }
  return prewarm.state() == v1::PREWARM_STATE_FAILED && some ? kExitPartly : kExitFailed;
}

ExitCode ExitCodeOf(const Error& error) {
  const bool wrong_use =
      error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kInvalidConfig;
  return wrong_use ? kExitWrongUse : kExitFailed;
}

std::string StateWord(v1::PrewarmState state) {
  const auto* at = std::ranges::find(kStates, state, &decltype(kStates)::value_type::first);
  return at == kStates.end() ? "unknown" : at->second;
}

v1::PrewarmState StateNamed(const std::string& word) {
  for (const auto& [state, name] : kStates) {
    if (word == name) return state;
  }
  return v1::PREWARM_STATE_UNSPECIFIED;
}

}  // namespace prewarm::ctl
