#include "controller/operator/prewarm_intake.h"

#include <utility>

#include "common/async/deadline.h"
#include "controller/api/spec_rules.h"
#include "controller/kube/objects.h"
#include "controller/plan/outcome.h"

namespace prewarm::controller {
namespace {

constexpr auto kTick =
    std::chrono::seconds(5);  // also how soon a refusal that may pass is tried again
// A prewarm and the volume that it names may be made at the same time, in any order.
constexpr auto kVolumeMayCome = std::chrono::seconds(10);
constexpr const char* kIdentity = "the cluster";

kube::ReflectorRequest PrewarmObjects() {
  kube::ReflectorRequest request;
  request.resource = {kPrewarmGroup, kPrewarmVersion, "prewarms"};
  return request;
}

// Those that no repetition helps.
bool IsLasting(const Problem& problem) {
  return problem.kind != ProblemKind::kUnavailable && problem.kind != ProblemKind::kTooMany &&
         problem.kind != ProblemKind::kInternal;
}

std::string WordsOf(const Problem& problem) {
  std::string words = problem.detail;
  for (const auto& field : problem.fields) {
    if (field.detail != problem.detail) words += " " + field.field + ": " + field.detail;
  }
  return words;
}

std::optional<Problem> WrongSpec(const PrewarmObject& object) {
  FieldProblems problems;
  CheckSpec(object.prewarm.spec, "spec.", problems);
  if (object.prewarm.spec.workload) {
    problems.Add("spec.workload", "is only written by the controller: name paths and nodes");
  }
  if (problems.empty()) return std::nullopt;
  return std::move(problems).ToProblem();
}

}  // namespace

PrewarmIntake::PrewarmIntake(Parts parts)
    : parts_(std::move(parts)),
      objects_(
          parts_.api, parts_.clock, PrewarmObjects(),
          [this](const boost::json::object& object) -> std::optional<PrewarmObject> {
            auto read = ReadPrewarmObject(object);
            if (read) return *std::move(read);
            parts_.log.Warn("object_refused", {{"why", read.error()}});
            return std::nullopt;
          },
          {[this](const kube::ObjectKey& key) { Changed(key); }, [this] { work_.Notify(); }, {}},
          parts_.seed),
      work_(parts_.executor),
      running_(parts_.executor) {}

Task<void> PrewarmIntake::Run() {
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    if (!IsFinal(job->prewarm.state)) loaded_.insert(job->prewarm.id);
  }
  running_.Spawn("watch prewarms", objects_.Run());
  while (!co_await Stopping()) {
    co_await work_.WaitFor(kTick);
    if (objects_.synced()) LookAtAll();
  }
  running_.Stop();
  co_await running_.Join();
}

void PrewarmIntake::Changed(const kube::ObjectKey& key) {
  if (objects_.Find(key) == nullptr) deleted_.insert(PrewarmId(key.ns, key.name));
  work_.Notify();
}

void PrewarmIntake::LookAtAll() {
  // Deleted after they were loaded and before they were listed.
  for (const auto& id : std::exchange(loaded_, {})) {
    const auto* job = parts_.jobs.Find(id);
    if (job == nullptr) continue;
    const auto name = ObjectNameOf(id, job->prewarm.name_space);
    if (name && objects_.Find({job->prewarm.name_space, *name}) == nullptr) deleted_.insert(id);
  }
  for (const auto& id : std::exchange(deleted_, {})) {
    const auto* job = parts_.jobs.Find(id);
    if (job == nullptr || IsFinal(job->prewarm.state)) continue;
    running_.Spawn("cancel a deleted prewarm", Cancel(id, job->prewarm.name_space));
  }
  for (const auto& [key, object] : objects_.objects()) Take(object);
}

void PrewarmIntake::Take(const PrewarmObject& object) {
  const auto& id = object.prewarm.id;
  if (taking_.contains(id) || parts_.jobs.IsBeingMade(id)) return;
  if (const auto* job = parts_.jobs.Find(id)) return TakeEdit(object, *job);
  if (object.accepted) return;
  taking_.insert(id);
  if (object.prewarm.spec.workload && object.made_by_us) {
    running_.Spawn("clean up after an earlier leader", CleanUp(object));
  } else if (auto wrong = WrongSpec(object)) {
    running_.Spawn("refuse a prewarm", Refuse(object, *std::move(wrong)));
  } else {
    running_.Spawn("accept a prewarm", Accept(object));
  }
}

// How urgent it is may be changed; the definition refuses every other edit of what a user made.
void PrewarmIntake::TakeEdit(const PrewarmObject& object, const Job& job) {
  const auto& now = object.prewarm.spec;
  const auto& held = job.prewarm.spec;
  const bool same = now.priority == held.priority && now.deadline == held.deadline;
  if (same || held.workload || IsFinal(job.prewarm.state) || job.committing) return;
  auto next = job.prewarm;
  next.spec.priority = now.priority;
  next.spec.deadline = now.deadline;
  taking_.insert(next.id);
  running_.Spawn("take in an edit", Change(std::move(next)));
}

Task<void> PrewarmIntake::Change(Prewarm next) {
  const auto id = next.id;
  const auto priority = next.spec.priority;
  const auto saved = co_await parts_.jobs.Commit({std::move(next)});
  if (saved) {
    parts_.log.Info("prewarm_edited", {{"prewarm", id}, {"priority", priority}});
    parts_.reconciler.Wake();
  } else {
    parts_.log.Error("save_failed", {{"prewarm", id}, {"why", saved.error()}});
  }
  taking_.erase(id);
}

Task<void> PrewarmIntake::CleanUp(PrewarmObject object) {
  const auto& prewarm = object.prewarm;
  const auto name = ObjectNameOf(prewarm.id, prewarm.name_space);
  // Only as it was seen: a leader may have accepted it since.
  const kube::DeleteOptions only{object.uid, object.resource_version, "Background"};
  if (name) {
    const auto gone = co_await kube::DeleteObject(parts_.api, PrewarmObjects().resource,
                                                  {prewarm.name_space, *name}, only);
    if (gone) parts_.log.Info("prewarm_cleaned_up", {{"prewarm", prewarm.id}});
  }
  taking_.erase(prewarm.id);
}

bool PrewarmIntake::MayPass(const PrewarmObject& object, const Problem& problem) const {
  return problem.type == "unknown-volume" &&
         parts_.clock.WallNow() - object.prewarm.created_at < kVolumeMayCome;
}

Task<void> PrewarmIntake::Accept(PrewarmObject object) {
  const auto id = object.prewarm.id;
  CreateRequest request{object.prewarm.spec, object.prewarm.idempotency_key, {}, id};
  const auto answer =
      co_await parts_.service.Create({kIdentity, object.prewarm.name_space}, std::move(request));
  if (!answer && IsLasting(answer.error()) && !MayPass(object, answer.error())) {
    co_return co_await Refuse(std::move(object), answer.error());
  }
  if (answer && !answer->created) {
    Problem problem{ProblemKind::kConflict, "same-key",
                    "prewarm " + answer->view.prewarm.id + " has the same idempotency key"};
    co_return co_await Refuse(std::move(object), std::move(problem));
  }
  taking_.erase(id);
}

Task<void> PrewarmIntake::Refuse(PrewarmObject object, Problem problem) {
  auto prewarm = std::move(object.prewarm);
  const auto id = prewarm.id;
  prewarm.state = PrewarmState::kPending;
  End(prewarm, PrewarmState::kFailed, "Refused", WordsOf(problem), parts_.clock.WallNow());
  const auto saved = co_await parts_.jobs.Commit({std::move(prewarm)});
  if (saved) {
    parts_.log.Info("prewarm_refused", {{"prewarm", id}, {"why", problem.detail}});
  } else {
    parts_.log.Error("save_failed", {{"prewarm", id}, {"why", saved.error()}});
  }
  taking_.erase(id);
}

Task<void> PrewarmIntake::Cancel(std::string id, std::string name_space) {
  const auto cancelled =
      co_await parts_.service.Cancel({"deletion of its object", std::move(name_space)}, id);
  if (!cancelled && IsLasting(cancelled.error())) co_return;
  if (!cancelled) deleted_.insert(id);  // again with the next tick
}

}  // namespace prewarm::controller
