#include "controller/operator/prewarm_teller.h"

#include <utility>
#include <vector>

#include "common/async/deadline.h"
#include "controller/jobs/prewarm_object.h"

namespace prewarm::controller {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kForetellEvery = std::chrono::seconds(10);
constexpr int kForecastsInALook = 20;
constexpr const char* kRefused = "Refused";
constexpr StatusPacer::Limits kPace{std::chrono::seconds(10), 10};

std::string Capital(std::string_view word) {
  std::string text(word);
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] -= 'a' - 'A';
  return text;
}

std::string NodeWords(const Prewarm& prewarm) {
  const auto progress = ProgressOf(prewarm);
  return std::to_string(progress.visible_nodes) + " of " + std::to_string(progress.nodes) +
         " nodes";
}

}  // namespace

PrewarmTeller::PrewarmTeller(Parts parts)
    : parts_(std::move(parts)),
      events_(parts_.executor, parts_.api, parts_.clock, parts_.instance, parts_.seed),
      running_(parts_.executor),
      pacer_(kPace, parts_.clock.Now()) {}

Task<void> PrewarmTeller::Run() {
  running_.Spawn("write events", events_.Run());
  while (!co_await Stopping()) {
    Look();
    co_await SleepFor(kTick);
  }
  running_.Stop();
  co_await running_.Join();
}

void PrewarmTeller::Look() {
  for (auto& [id, told] : told_) told.seen = false;
  forecasts_ = 0;
  std::vector<std::string> wanting;
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    if (LookAt(*job)) wanting.push_back(job->prewarm.id);
  }
  first_ = false;
  std::erase_if(told_, [this](const auto& told) {
    if (!told.second.seen) pacer_.Forget(told.first);
    return !told.second.seen;
  });
  for (auto& id : pacer_.Choose(wanting, parts_.clock.Now())) {
    running_.Spawn("tell how far it is", Save(std::move(id)));
  }
}

bool PrewarmTeller::LookAt(Job& job) {
  const auto& prewarm = job.prewarm;
  const bool ended = IsFinal(prewarm.state);
  if (first_ && ended) return false;
  const auto [at, fresh] = told_.try_emplace(prewarm.id);
  auto& told = at->second;
  told.seen = true;
  if (!fresh && ended && told.state == prewarm.state) return false;
  if (fresh && !first_ && prewarm.reason != kRefused) {
    Say(prewarm, false, "Accepted",
        "on volume " + prewarm.spec.volume + ", for " + std::to_string(prewarm.tasks.size()) +
            " nodes");
  }
  if (!ended && !job.committing && prewarm.spec.deadline) Foretell(job, told);
  const Numbers numbers{ProgressOf(prewarm), told.late};
  if (fresh || told.state != prewarm.state) {
    if (!first_) TellState(prewarm);
    told.state = prewarm.state;
    told.numbers = {numbers.progress, false};  // saved by whoever changed the state
    pacer_.Written(prewarm.id, parts_.clock.Now());
  }
  return !ended && !job.committing && numbers != told.numbers;
}

// Costs a look at the whole queue; what is left over is foretold in the next look.
void PrewarmTeller::Foretell(Job& job, Told& told) {
  const auto now = parts_.clock.Now();
  if (told.foretold != SteadyTime{} && now - told.foretold < kForetellEvery) return;
  if (++forecasts_ > kForecastsInALook) return;
  told.foretold = now;
  const auto forecast = parts_.service.ForecastFor(job.prewarm);
  job.prewarm.expected_at = forecast.finish;
  const bool late = forecast.late.has_value();
  if (late && !told.late && !first_) {
    Say(job.prewarm, true, "Late", "it will miss its deadline: " + forecast.words);
  }
  told.late = late;
}

void PrewarmTeller::TellState(const Prewarm& prewarm) {
  switch (prewarm.state) {
    case PrewarmState::kPending:
    case PrewarmState::kRunning: return;
    case PrewarmState::kWarm:
      return Say(prewarm, false, "Warm", "every byte is visible on " + NodeWords(prewarm));
    case PrewarmState::kSucceeded:
      return Say(prewarm, false, "Succeeded", "every byte is visible on " + NodeWords(prewarm));
    case PrewarmState::kFailed:
      return Say(prewarm, true, prewarm.reason == kRefused ? kRefused : "Failed", prewarm.message);
    case PrewarmState::kCancelled:
    case PrewarmState::kSuperseded:
      return Say(prewarm, false, Capital(StateName(prewarm.state)), prewarm.message);
  }
}

void PrewarmTeller::Say(const Prewarm& prewarm, bool warning, const std::string& reason,
                        const std::string& note) {
  const auto name = ObjectNameOf(prewarm.id, prewarm.name_space);
  if (!name) return;
  const kube::ObjectKey key{prewarm.name_space, *name};
  events_.Record(
      {{std::string(kPrewarmGroup) + "/" + kPrewarmVersion, "Prewarm", key, parts_.uid_of(key)},
       warning,
       reason,
       "Prewarm",
       note});
  const auto& workload = prewarm.spec.workload;
  if (!workload) return;
  events_.Record(
      {{workload->api_version, workload->kind, {prewarm.name_space, workload->name}, workload->uid},
       warning,
       "Prewarm" + reason,
       "Prewarm",
       "prewarm " + *name + ": " + note});
}

Task<void> PrewarmTeller::Save(std::string id) {
  auto* job = parts_.jobs.Find(id);
  const auto at = told_.find(id);
  if (job == nullptr || at == told_.end()) co_return;
  if (job->committing || IsFinal(job->prewarm.state)) co_return;
  if (!job->prewarm.spec.deadline) Foretell(*job, at->second);
  const Numbers numbers{ProgressOf(job->prewarm), at->second.late};
  const auto saved = co_await parts_.jobs.Commit({job->prewarm});
  if (!saved) {
    parts_.log.Warn("progress_not_told", {{"prewarm", id}, {"why", saved.error()}});
    co_return;
  }
  if (const auto told = told_.find(id); told != told_.end()) told->second.numbers = numbers;
}

}  // namespace prewarm::controller
