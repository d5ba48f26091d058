#include "controller/operator/bento_operator.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/async/deadline.h"
#include "controller/jobs/prewarm_object.h"
#include "controller/kube/objects.h"
#include "controller/operator/source_lookup.h"
#include "controller/plan/outcome.h"

namespace prewarm::controller {
namespace {

constexpr const char* kModelsFound = "ModelsFound";
constexpr Duration kPause = std::chrono::milliseconds(20);  // many changes make one round

// Deployments are watched anyway, and read as workloads on the way.
std::vector<bento::WorkloadMapping> WithoutDeployments(
    std::vector<bento::WorkloadMapping> mappings) {
  const auto deployments = bento::DeploymentMapping();
  std::erase_if(mappings, [&](const auto& mapping) {
    return mapping.group == deployments.group && mapping.resource == deployments.resource;
  });
  return mappings;
}

demand::DiskClass DiskClassOf(const Node& node) {
  return demand::DiskClassNamed(node.directories.empty() ? "" : node.directories.front().disk);
}

using CachesByNode = std::unordered_map<std::string_view, demand::CacheFacts>;

// What every workload finds on the nodes. Looked up once: every node is asked about for every
// workload.
CachesByNode CachesOf(const demand::ClusterIndex& cluster, const AgentRegistry& agents) {
  CachesByNode caches;
  caches.reserve(cluster.nodes().size());
  const auto add = [&](const std::string& node) {
    const auto* known = agents.Find(node);
    if (known == nullptr) return;
    auto& facts = caches[node];
    facts.agent =
        known->connected ? demand::CacheFacts::Agent::kConnected : demand::CacheFacts::Agent::kAway;
    facts.room_bytes = known->AvailableBytes();
    facts.disk = DiskClassOf(*known);
  };
  for (const auto& state : cluster.nodes()) add(state.node->name);
  for (const auto& claim : cluster.claims()) add(claim.state.node->name);
  return caches;
}

// Bytes of these prewarms that are on nodes.
std::unordered_map<std::string_view, std::uint64_t> PresentBytes(
    const std::vector<Prewarm>& existing) {
  std::unordered_map<std::string_view, std::uint64_t> present;
  for (const auto& prewarm : existing) {
    for (const auto& [node, task] : prewarm.tasks) {
      present[node] += task.progress.planned_bytes - task.progress.MissingBytes();
    }
  }
  return present;
}

}  // namespace

// What one look at the cluster is computed from, and what comes out of it.
struct BentoOperator::Pass {
  demand::ClusterIndex cluster;
  CachesByNode caches;
  bento::KnownVolumes volumes;
  std::vector<demand::Policy> policies;
  std::map<std::string, std::vector<Prewarm>> existing;  // unfinished ones, by uid of the workload
  std::map<std::string, WorkloadMemory> memory;
  std::vector<DesiredPrewarm> desired;
};

BentoOperator::BentoOperator(Parts parts)
    : parts_(std::move(parts)),
      work_(parts_.executor),
      view_({parts_.executor, parts_.api, parts_.clock, parts_.log, parts_.seed},
            WithoutDeployments(parts_.workload_kinds), [this] { work_.Notify(); }),
      survey_(parts_.executor, parts_.clock, parts_.log, parts_.volumes, [this] { Wake(); }),
      events_(parts_.executor, parts_.api, parts_.clock, parts_.instance, parts_.seed),
      running_(parts_.executor) {}

BentoOperator::~BentoOperator() = default;

void BentoOperator::Wake() {
  others_ = true;
  work_.Notify();
}

Task<void> BentoOperator::Run() {
  running_.Spawn("watch the cluster", view_.Run());
  running_.Spawn("write events", events_.Run());
  while (!co_await Stopping()) {
    const auto begin = parts_.clock.Now();
    if (!view_.synced()) {
      co_await work_.WaitFor(LookPacer::kRest);
    } else if (const auto scope = NextScope(begin)) {
      co_await Round(*scope);
      parts_.metrics.rounds.Observe(
          std::chrono::duration<double>(parts_.clock.Now() - begin).count());
      co_await SleepFor(kPause);
    } else {
      co_await work_.WaitFor(pacer_.Due(others_) - begin);
    }
  }
  running_.Stop();
  co_await survey_.Stop();
  co_await running_.Join();
}

std::optional<BentoOperator::Scope> BentoOperator::NextScope(SteadyTime now) {
  auto changes = view_.TakeChanges();
  others_ |= changes.others;
  if (now >= pacer_.Due(others_)) {
    others_ = false;
    return Scope();
  }
  if (changes.workloads.empty()) return std::nullopt;
  return std::move(changes.workloads);
}

Task<void> BentoOperator::Round(const Scope& scope) {
  const auto begin = parts_.clock.Now();
  Pass pass{demand::ClusterIndex(view_.World()),
            {},
            KnownVolumesOf(parts_.volumes),
            view_.Policies(),
            Existing(scope),
            {},
            {}};
  pass.caches = CachesOf(pass.cluster, parts_.agents);
  if (!scope) survey_.Begin();
  parts_.metrics.workloads.Begin(pass.cluster.now(), !scope);
  for (const auto* workload : view_.Workloads()) {
    if (!scope || scope->contains(workload->ref.uid)) PlanOne(*workload, pass);
  }
  survey_.End(view_.bento_version() != bento_version_);
  parts_.metrics.workloads.End();
  bento_version_ = view_.bento_version();
  if (scope) {
    for (auto& [uid, memory] : pass.memory) memory_[uid] = std::move(memory);
  } else {
    memory_ = std::move(pass.memory);  // what is gone is forgotten
    std::erase_if(said_, [this](const auto& said) { return !memory_.contains(said.first); });
    pacer_.Looked(begin, parts_.clock.Now());
  }
  std::vector<Prewarm> existing;
  for (auto& [uid, prewarms] : pass.existing)
    std::ranges::move(prewarms, std::back_inserter(existing));
  co_await Apply(Compare(pass.desired, existing));
}

std::map<std::string, std::vector<Prewarm>> BentoOperator::Existing(const Scope& scope) const {
  std::map<std::string, std::vector<Prewarm>> existing;
  for (const auto& [age, job] : parts_.jobs.by_age()) {
    const auto& prewarm = job->prewarm;
    if (!prewarm.spec.workload || IsFinal(prewarm.state)) continue;
    const auto& uid = prewarm.spec.workload->uid;
    if (!scope || scope->contains(uid)) existing[uid].push_back(prewarm);
  }
  return existing;
}

bento::Workload BentoOperator::WithPodVolumes(bento::Workload workload) const {
  if (workload.ref.kind == "Deployment") return workload;  // it names them itself
  for (auto& component : workload.components) {
    const auto* made = view_.DeploymentOf(workload.ref, component.pod_labels);
    if (made == nullptr) continue;
    component.volumes = made->pods.volumes;
    component.mounts = made->pods.mounts;
  }
  return workload;
}

void BentoOperator::PlanOne(const bento::Workload& found, Pass& pass) {
  const auto& ref = found.ref;
  const auto sources =
      bento::FindSources(WithPodVolumes(found), view_, pass.volumes, parts_.layout);
  const auto workload = bento::WithRunners(found, sources.runners);
  std::vector<ComponentDemand> components;
  for (const auto& component : workload.components) {
    const auto* made = view_.DeploymentOf(ref, component.pod_labels);
    const auto name = made == nullptr ? std::string_view() : made->deployment.name;
    components.push_back({&component, &pass.cluster.Of(ref.name_space, name)});
  }
  const auto& policy = demand::PolicyFor(ref.name_space, ToLabels(workload.labels), pass.policies);
  bento::FileRules rules;
  rules.policy = {policy.include, policy.exclude};
  for (const auto& source : sources.models) survey_.Want(source, rules);
  const auto models = bento::PlanModels(sources, survey_.answers());
  const auto& existing = pass.existing[ref.uid];
  const auto present = PresentBytes(existing);
  const demand::CacheOf cache_of = [&](const demand::Node& node) {
    const auto known = pass.caches.find(node.name);
    if (known == pass.caches.end()) return demand::CacheFacts();
    auto facts = known->second;
    if (const auto bytes = present.find(node.name); bytes != present.end()) {
      facts.present_bytes = bytes->second;
    }
    return facts;
  };
  auto& memory = pass.memory[ref.uid];
  memory = std::move(memory_[ref.uid]);
  auto output = PlanWorkload(
      {workload, models, components, policy, pass.cluster, cache_of, existing}, memory);
  Say(workload, models, output);
  Measure(ref, {models, output, existing, [this](const std::string& node) {
                  const auto* known = parts_.agents.Find(node);
                  return known != nullptr && known->connected;
                }});
  // What is not compared stays as it is.
  if (output.undecided) pass.existing.erase(ref.uid);
  std::ranges::move(output.desired, std::back_inserter(pass.desired));
}

// The metrics tell how many pods came too early, these lines which ones.
void BentoOperator::Measure(const bento::ObjectRef& workload, const WorkloadLook& look) {
  for (const auto& pod : parts_.metrics.workloads.Take(workload, look)) {
    const auto lead = pod.LeadToBound();
    parts_.log.Info("pod_bound",
                    {{"workload", workload.Words()},
                     {"pod", pod.pod},
                     {"node", pod.node},
                     {"found_it", demand::ArrivalName(pod.arrival)},
                     {"lead", lead ? LogValue(*lead) : LogValue("the node is not warm yet")}});
  }
}

void BentoOperator::Say(const bento::Workload& workload, const bento::ModelPlan& models,
                        const WorkloadOutput& output) {
  std::map<std::string, Note> notes;
  const auto add = [&](std::string reason, const std::string& words, bool warning) -> Note& {
    auto& note = notes[std::move(reason)];
    note.words += (note.words.empty() ? "" : "; ") + words;
    note.warning = warning;
    return note;
  };
  for (const auto& note : models.notes) add(note.reason, note.words, false);
  for (const auto& model : models.unresolved) {
    add(std::string(bento::ObstacleName(model.obstacle)),
        (model.tag.empty() ? "" : model.tag + ": ") + model.reason, true)
        .unresolved = true;
  }
  for (const auto& words : output.problems) add("BadWorkload", words, true);
  for (const auto& words : output.unmet) add("NotEnoughNodes", words, true);
  for (const auto& model : models.models) {
    if (model.state == bento::ModelState::kSeeded) {
      add(kModelsFound, model.tag + " on volume " + model.volume, false);
    } else if (model.state != bento::ModelState::kUnlooked) {
      add("ModelsNotSeeded", model.tag + ": " + model.reason, false);
    }
  }
  auto& said = said_[workload.ref.uid];
  said.workload = workload.ref.kind + " " + workload.ref.name;
  std::erase_if(said.notes, [&](const auto& old) { return !notes.contains(old.first); });
  for (const auto& [reason, note] : notes) {
    auto& last = said.notes[reason];
    if (last.words == note.words) continue;
    last = note;
    parts_.log.Info(
        "workload_note",
        {{"workload", workload.ref.Words()}, {"reason", reason}, {"words", note.words}});
    events_.Record({{workload.ref.api_version,
                     workload.ref.kind,
                     {workload.ref.name_space, workload.ref.name},
                     workload.ref.uid},
                    note.warning,
                    reason,
                    "Prewarm",
                    note.words});
  }
}

std::optional<std::vector<WorkloadNote>> BentoOperator::NotesOf(const std::string& uid) const {
  const auto said = said_.find(uid);
  if (said == said_.end()) return std::nullopt;
  std::vector<WorkloadNote> notes;
  for (const auto& [reason, note] : said->second.notes) {
    if (reason == kModelsFound) continue;
    notes.push_back({said->second.workload, reason, note.words, note.unresolved});
  }
  return notes;
}

Task<void> BentoOperator::Apply(PrewarmChanges changes) {
  TaskGroup writing(parts_.executor);
  for (auto& desired : changes.created) writing.Spawn("make a prewarm", Create(std::move(desired)));
  for (auto& next : changes.changed) writing.Spawn("change a prewarm", Change(std::move(next)));
  for (auto& prewarm : changes.dropped) writing.Spawn("drop a prewarm", Drop(std::move(prewarm)));
  co_await writing.Join();
}

Task<void> BentoOperator::Create(DesiredPrewarm desired) {
  auto prewarm = NewPrewarmFor(desired, parts_.clock.WallNow());
  prewarm.id = parts_.jobs.IdOf(prewarm.name_space, NameFor(desired, prewarm.created_at));
  const auto id = prewarm.id;
  const auto saved = co_await parts_.jobs.Commit({std::move(prewarm)});
  if (!saved) co_return SaySaveFailed(id, saved.error());
  parts_.log.Info(
      "workload_prewarm",
      {{"prewarm", id},
       {"workload", desired.workload.kind + " " + desired.name_space + "/" + desired.workload.name},
       {"volume", desired.volume},
       {"targets", desired.targets.size()},
       {"because", desired.targets.front().signal}});
  parts_.reconciler.Wake();
}

Task<void> BentoOperator::Change(Prewarm next) {
  auto* job = parts_.jobs.Find(next.id);
  if (job == nullptr || job->committing || IsFinal(job->prewarm.state)) co_return;
  const bool other_paths = job->prewarm.spec.paths != next.spec.paths;
  auto current = job->prewarm;  // its tasks may have moved on since
  current.spec = std::move(next.spec);
  // With its tasks at once: each write to the cluster is a wait for what an autoscaler wants now.
  if (!other_paths && !job->stale) parts_.reconciler.GiveTargetsTasks(current, *job);
  const auto saved = co_await parts_.jobs.Commit({std::move(current)});
  if (!saved) co_return SaySaveFailed(next.id, saved.error());
  if (other_paths) {
    saved->front()->stale = true;
    saved->front()->followed = 0;
  }
  parts_.reconciler.Wake();
}

Task<void> BentoOperator::Drop(Prewarm prewarm) {
  auto* job = parts_.jobs.Find(prewarm.id);
  if (job == nullptr || job->committing) co_return;
  auto ended = job->prewarm;
  End(ended, PrewarmState::kCancelled, "NotWantedAnyMore", "no node needs it for its workload now",
      parts_.clock.WallNow());
  const auto saved = co_await parts_.jobs.Commit({std::move(ended)});
  if (!saved) co_return SaySaveFailed(prewarm.id, saved.error());
  parts_.reconciler.Wake();
  const auto name = ObjectNameOf(prewarm.id, prewarm.name_space);
  if (!name) co_return;
  const auto gone = co_await kube::DeleteObject(
      parts_.api, {kPrewarmGroup, kPrewarmVersion, "prewarms"}, {prewarm.name_space, *name}, {});
  if (!gone && gone.error().code != ErrorCode::kNotFound) {
    parts_.log.Warn("prewarm_not_deleted", {{"prewarm", prewarm.id}, {"why", gone.error()}});
  }
}

void BentoOperator::SaySaveFailed(const std::string& id, const Error& error) {
  parts_.log.Error("save_failed", {{"prewarm", id}, {"why", error}});
}

}  // namespace prewarm::controller
