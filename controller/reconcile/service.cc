#include "controller/reconcile/service.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "common/async/offload.h"
#include "common/base/nearest.h"
#include "controller/api/spec_rules.h"
#include "controller/reconcile/refusals.h"

namespace prewarm::controller {
namespace {

constexpr auto kAgentsComeBack = std::chrono::seconds(10);

std::string NewId() {
  constexpr std::string_view kLetters = "0123456789abcdefghjkmnpqrstvwxyz";
  std::random_device random;
  std::string id = "pw-";
  for (int i = 0; i < 20; ++i) id += kLetters[random() % kLetters.size()];
  return id;
}

std::string ModelNameOf(const std::string& bento) { return std::string(kBentoModelPrefix) + bento; }

// The spec of a request, to be compared with an accepted one: where a Bento is named, it is the
// name that counts, and not what it stands for now.
PrewarmSpec Asked(const CreateRequest& request, const PrewarmSpec& accepted) {
  auto spec = request.spec;
  if (request.bento.empty()) return spec;
  spec.volume = accepted.volume;
  spec.paths = accepted.paths;
  spec.model = ModelNameOf(request.bento);
  return spec;
}

}  // namespace

struct ControllerService::Draft {
  Prewarm prewarm;
  std::shared_ptr<const ResolvedPlan> plan;
  Placement placement;
  Forecast forecast;
};

class ControllerService::KeyInUse {
 public:
  KeyInUse(ControllerService& service, std::pair<std::string, std::string> key)
      : service_(service), key_(std::move(key)) {
    service_.keys_in_use_.insert(key_);
  }
  KeyInUse(const KeyInUse&) = delete;
  KeyInUse& operator=(const KeyInUse&) = delete;
  ~KeyInUse() {
    service_.keys_in_use_.erase(key_);
    service_.key_released_.Notify();
  }

 private:
  ControllerService& service_;
  const std::pair<std::string, std::string> key_;
};

ControllerService::ControllerService(Parts parts)
    : parts_(std::move(parts)), key_released_(parts_.executor) {}

void ControllerService::SetLeading(bool leading) {
  leading_ = leading;
  leading_since_ = parts_.clock.Now();
}

// Agents dial again within five seconds; a refusal for want of nodes would be wrong before.
bool ControllerService::AgentsMayStillCome() const {
  return parts_.agents.connected() == 0 && parts_.clock.Now() - leading_since_ < kAgentsComeBack;
}

ApiResult<void> ControllerService::Ready() const {
  if (leading_) return {};
  Problem problem{ProblemKind::kUnavailable, "not-leading",
                  leader_.empty() ? "this controller does not lead (yet): try again"
                                  : "this controller does not lead: " + leader_ + " does"};
  problem.retry_after = std::chrono::seconds(1);
  return Refuse(std::move(problem));
}

ApiResult<std::shared_ptr<Volume>> ControllerService::UsableVolume(const Caller& caller,
                                                                   const std::string& name,
                                                                   const std::string& field) const {
  const auto at = parts_.volumes.find(name);
  if (at != parts_.volumes.end() && at->second->MayUse(caller.name_space)) return at->second;
  std::vector<std::string> known;
  for (const auto& [other, volume] : parts_.volumes) {
    if (volume->MayUse(caller.name_space)) known.push_back(other);
  }
  const auto nearest = NearestWord(name, known);
  return Refuse(Invalid("unknown-volume", field,
                        "there is no volume \"" + name + "\"" +
                            (nearest.empty() ? "; GET /api/v1/volumes lists those there are"
                                             : ": did you mean " + nearest + "?")));
}

Job* ControllerService::JobOf(const Caller& caller, const std::string& id) const {
  auto* job = parts_.jobs.Find(id);
  return job != nullptr && job->prewarm.name_space == caller.name_space ? job : nullptr;
}

Task<ApiResult<std::optional<PrewarmView>>> ControllerService::SameRequest(
    const Caller& caller, const CreateRequest& request) {
  const auto& key = request.idempotency_key;
  if (key.empty()) co_return std::nullopt;
  const auto now = parts_.clock.WallNow();
  std::optional<Prewarm> same;
  if (const auto* job = parts_.jobs.FindByKey(caller.name_space, key)) {
    same = job->prewarm;
  } else {
    auto forgotten = co_await parts_.jobs.FindForgottenByKey(caller.name_space, key, now);
    if (!forgotten) co_return Refuse(JobsAway(forgotten.error()));
    same = *std::move(forgotten);
  }
  if (!same || now - same->created_at > std::chrono::hours(24)) co_return std::nullopt;
  if (same->spec != Asked(request, same->spec)) {
    co_return Refuse({ProblemKind::kConflict,
                      "idempotency-key",
                      "this key was used for another request: choose a new one",
                      {{"idempotency_key", "belongs to prewarm " + same->id}}});
  }
  co_return ViewOf(*same);
}

ApiResult<void> ControllerService::ChooseNodes(Draft& draft, const std::string& uuid) const {
  const auto& spec = draft.prewarm.spec;
  std::map<std::string, std::uint64_t> queued;
  for (const auto& task : parts_.reconciler.Queue()) queued[task.node] += task.missing_bytes;
  draft.placement = Place(spec.nodes, draft.plan->blocks.bytes(), uuid, parts_.agents.Nodes(),
                          queued, parts_.reconciler.options().limits);
  if (!draft.placement.nodes.empty()) return {};
  if (AgentsMayStillCome()) {
    Problem problem{ProblemKind::kUnavailable, "agents-come",
                    "this controller has just taken the lead and its agents are still connecting"};
    problem.retry_after = std::chrono::seconds(1);
    return Refuse(std::move(problem));
  }
  if (draft.placement.rejected.empty()) {
    return Refuse(Invalid("no-node", "spec.nodes",
                          parts_.agents.Nodes().empty()
                              ? "no node is connected: start prewarm-agent serve on one"
                              : "matches none of the nodes; GET /api/v1/nodes lists them with "
                                "their labels"));
  }
  Problem problem{ProblemKind::kUnprocessable, "no-room",
                  "none of the matching nodes can take it:"};
  for (const auto& rejected : draft.placement.rejected) {
    problem.fields.push_back({"spec.nodes", rejected.node + ": " + rejected.reason});
    if (problem.fields.size() <= 3)
      problem.detail += " " + rejected.node + " " + rejected.reason + ";";
  }
  problem.detail.back() = '.';
  return Refuse(std::move(problem));
}

Task<ApiResult<PrewarmSpec>> ControllerService::Complete(const Caller& caller,
                                                         const CreateRequest& request) {
  auto spec = request.spec;
  if (request.bento.empty()) co_return spec;
  if (bentos_ == nullptr) {
    co_return Refuse(Invalid("no-cluster", "bento",
                             "this controller works for no Kubernetes cluster, so it knows no "
                             "Bentos: name volume and paths"));
  }
  auto models = co_await bentos_->Resolve(caller.name_space, request.bento);
  if (!models) co_return Refuse(models.error());
  spec.volume = std::move(models->volume);
  spec.paths = std::move(models->paths);
  spec.model = ModelNameOf(request.bento);
  co_return spec;
}

Task<ApiResult<ControllerService::Draft>> ControllerService::WorkOut(const Caller& caller,
                                                                     const CreateRequest& request) {
  if (auto ready = Ready(); !ready) co_return Refuse(ready.error());
  const auto now = parts_.clock.WallNow();
  if (request.spec.deadline && *request.spec.deadline <= now) {
    co_return Refuse(Invalid("deadline", "spec.deadline", "is in the past"));
  }
  auto spec = co_await Complete(caller, request);
  if (!spec) co_return Refuse(spec.error());
  auto volume = UsableVolume(caller, spec->volume, "spec.volume");
  if (!volume) co_return Refuse(volume.error());
  if (auto usable = co_await (*volume)->Refresh(); !usable) {
    co_return Refuse(MetadataAway(usable.error()));
  }
  auto plan = co_await (*volume)->Plan(spec->paths);
  if (!plan) co_return Refuse(OfMetadata(plan.error()));
  Draft draft;
  draft.plan = std::make_shared<const ResolvedPlan>(*std::move(plan));
  auto& prewarm = draft.prewarm;
  prewarm.id = request.id.empty() ? parts_.jobs.IdOf(caller.name_space, NewId()) : request.id;
  prewarm.name_space = caller.name_space;
  prewarm.spec = *std::move(spec);
  prewarm.idempotency_key = request.idempotency_key;
  prewarm.state = PrewarmState::kRunning;
  prewarm.created_at = now;
  if (auto chosen = ChooseNodes(draft, (*volume)->descriptor()->uuid); !chosen) {
    co_return Refuse(chosen.error());
  }
  BeginGeneration(prewarm, *draft.plan, false);
  for (const auto& node : draft.placement.nodes) {
    prewarm.tasks[node] = NewTask(node, prewarm.generation, *draft.plan);
  }
  draft.forecast = ForecastFor(prewarm);
  if (prewarm.spec.refuse_if_late && draft.forecast.late) {
    co_return Refuse({ProblemKind::kUnprocessable,
                      "late",
                      draft.forecast.words,
                      {{"spec.deadline", draft.forecast.words}}});
  }
  co_return draft;
}

Forecast ControllerService::ForecastFor(const Prewarm& prewarm) const {
  const bool accepted = parts_.jobs.Find(prewarm.id) != nullptr;
  std::vector<QueuedTask> own;
  AppendQueued(prewarm, own);
  const auto nodes = parts_.agents.Nodes();
  const auto& limits = parts_.reconciler.options().limits;
  std::map<TaskKey, double> with_draft;
  if (!accepted) {
    auto queue = parts_.reconciler.Queue();
    queue.insert(queue.end(), own.begin(), own.end());
    with_draft = PredictFinish(nodes, queue, limits);
  }
  std::uint64_t rate = 0;
  for (const auto& node : nodes) {
    if (prewarm.tasks.contains(node.name)) rate += ExpectedRate(node, limits);
  }
  if (limits.origin != 0) rate = std::min(rate, limits.origin);
  return ForecastOf(prewarm.id, prewarm.spec.deadline, own,
                    accepted ? parts_.reconciler.Predicted() : with_draft, rate,
                    parts_.clock.WallNow());
}

std::vector<Job*> ControllerService::Superseded(const Prewarm& by) const {
  std::vector<Job*> older;
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    const auto& other = job->prewarm;
    if (IsFinal(other.state) || job->committing || other.name_space != by.name_space) continue;
    if (other.spec.volume == by.spec.volume && other.spec.ModelKey() == by.spec.ModelKey()) {
      older.push_back(job.get());
    }
  }
  return older;
}

Task<ApiResult<CreateAnswer>> ControllerService::Create(Caller caller, CreateRequest request) {
  if (auto ready = Ready(); !ready) co_return Refuse(ready.error());
  const std::pair key{caller.name_space, request.idempotency_key};
  std::optional<KeyInUse> in_use;
  if (!request.idempotency_key.empty()) {
    while (keys_in_use_.contains(key) && co_await key_released_.Wait()) {
    }
    in_use.emplace(*this, key);
  }
  auto same = co_await SameRequest(caller, request);
  if (!same) co_return Refuse(same.error());
  if (*same) co_return CreateAnswer{**std::move(same), false};
  if (parts_.jobs.unfinished() >= parts_.max_prewarms) {
    Problem problem{ProblemKind::kTooMany, "too-many-prewarms",
                    "too many prewarms have not ended yet: wait, or cancel some"};
    problem.retry_after = std::chrono::seconds(10);
    co_return Refuse(std::move(problem));
  }
  auto draft = co_await WorkOut(caller, request);
  if (!draft) co_return Refuse(draft.error());
  co_return co_await Accept(caller, *std::move(draft));
}

Task<ApiResult<CreateAnswer>> ControllerService::Accept(const Caller& caller, Draft draft) {
  const auto now = parts_.clock.WallNow();
  std::vector<Prewarm> writes{draft.prewarm};
  for (const auto* job : Superseded(draft.prewarm)) {
    auto older = job->prewarm;
    End(older, PrewarmState::kSuperseded, "Superseded",
        "prewarm " + draft.prewarm.id + " of the same model took its place", now);
    older.superseded_by = draft.prewarm.id;
    writes.push_back(std::move(older));
  }
  const auto saved = co_await parts_.jobs.Commit(std::move(writes));
  if (!saved) {
    co_return Refuse(
        {ProblemKind::kUnavailable, "not-durable",
         "the prewarm could not be made durable and was not accepted: " + saved.error().message});
  }
  auto* job = saved->front();
  if (!IsFinal(job->prewarm.state)) job->plan = draft.plan;
  job->resolved_at = parts_.clock.Now();
  parts_.log.Info("prewarm_accepted", {{"prewarm", job->prewarm.id},
                                       {"caller", caller.identity},
                                       {"volume", job->prewarm.spec.volume},
                                       {"nodes", job->prewarm.tasks.size()},
                                       {"bytes", draft.plan->blocks.bytes()}});
  parts_.reconciler.Wake();
  auto view = ViewOf(job->prewarm);
  view.forecast = draft.forecast;
  co_return CreateAnswer{std::move(view), true};
}

Task<ApiResult<PlanView>> ControllerService::Plan(Caller caller, CreateRequest request) {
  auto draft = co_await WorkOut(caller, request);
  if (!draft) co_return Refuse(draft.error());
  PlanView view;
  view.spec = draft->prewarm.spec;
  view.files = draft->plan->files;
  view.bytes = draft->plan->blocks.bytes();
  view.blocks = draft->plan->blocks.block_count();
  view.forecast = draft->forecast;
  for (const auto& rejected : draft->placement.rejected) {
    view.rejected.push_back({rejected.node, rejected.reason});
  }
  for (const auto* job : Superseded(draft->prewarm)) {
    view.superseded.push_back(job->prewarm.id);
    for (const auto& [node, task] : job->prewarm.tasks) {
      if (!IsFinal(task.state))
        view.actions.push_back({node, "cancel", task.progress.MissingBytes()});
    }
  }
  const std::vector<Prewarm> wanted{draft->prewarm};
  std::map<std::string, std::vector<HeldTask>> nothing_held;
  for (const auto& node : draft->placement.nodes) nothing_held[node];
  for (const auto& order : Difference(wanted, nothing_held).orders) {
    view.actions.push_back({order.node, "order", view.bytes});
  }
  co_return view;
}

Task<ApiResult<PrewarmView>> ControllerService::Cancel(Caller caller, std::string id) {
  if (auto ready = Ready(); !ready) co_return Refuse(ready.error());
  auto* job = JobOf(caller, id);
  while (job != nullptr && job->committing && co_await job->changed.Wait()) job = JobOf(caller, id);
  if (job == nullptr) co_return co_await Forgotten(caller, id);
  Prewarm next = job->prewarm;
  if (End(next, PrewarmState::kCancelled, "Cancelled", "cancelled by " + caller.identity,
          parts_.clock.WallNow()) == Effect::kNone) {
    co_return ViewOf(job->prewarm);
  }
  const auto saved = co_await parts_.jobs.Commit({std::move(next)});
  if (!saved) {
    co_return Refuse({ProblemKind::kUnavailable, "not-durable",
                      "the cancellation could not be made durable: " + saved.error().message});
  }
  parts_.log.Info("prewarm_cancelled", {{"prewarm", id}, {"caller", caller.identity}});
  parts_.reconciler.Wake();
  co_return ViewOf(saved->front()->prewarm);
}

}  // namespace prewarm::controller
