#include "controller/operator/cluster_view.h"

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "common/async/deadline.h"
#include "controller/bento/objects_json.h"
#include "controller/demand/objects_json.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

Result<std::optional<DeploymentRecord>> ReadDeployment(const json::object& object) {
  DeploymentRecord record;
  TRY(record.deployment, demand::DeploymentFromJson(object));
  record.workload = bento::ReadWorkload(bento::DeploymentMapping(), object);
  const auto* spec = kube::ObjectIn(object, "spec");
  const auto* pod_template = spec == nullptr ? nullptr : kube::ObjectIn(*spec, "template");
  const auto* pods = pod_template == nullptr ? nullptr : kube::ObjectIn(*pod_template, "spec");
  bento::Problems ignored;  // the API server has checked the template of a Deployment
  if (pods != nullptr) bento::AddPodVolumes(*pods, record.pods, ignored);
  return std::optional(std::move(record));
}

std::optional<PolicyObject> ReadPolicy(const json::object& object) {
  return ReadPolicyObject(object);
}

template <class T>
constexpr bool kIsBento = std::is_same_v<T, bento::Bento> || std::is_same_v<T, bento::BentoRequest>;

// The three ways in which a reader says "nothing".
template <class T>
Result<std::optional<T>> Read(Result<T> read) {
  if (!read) return std::move(read).error();
  return std::optional(*std::move(read));
}
template <class T>
Result<std::optional<T>> Read(std::optional<T> read) {
  return read;
}
template <class T>
Result<std::optional<T>> Read(Result<std::optional<T>> read) {
  return read;
}

template <class T>
const T* FindIn(const kube::Reflector<T>& cache, std::string_view name_space,
                std::string_view name) {
  return cache.Find({std::string(name_space), std::string(name)});
}

template <class T>
std::vector<const T*> AllOf(const kube::Reflector<T>& cache) {
  std::vector<const T*> all;
  all.reserve(cache.objects().size());
  for (const auto& [key, value] : cache.objects()) all.push_back(&value);
  return all;
}

}  // namespace

template <class T, class ReadObject>
kube::Reflector<T>& ClusterView::Watch(kube::Resource resource, const ReadObject& read,
                                       std::string field_selector) {
  kube::ReflectorRequest request;
  request.resource = std::move(resource);
  request.field_selector = std::move(field_selector);
  auto parse = [this, read](const json::object& object) -> std::optional<T> {
    auto value = Read<T>(read(object));
    if (value) return *std::move(value);
    parts_.log.Warn("object_refused", {{"why", value.error()}});
    return std::nullopt;
  };
  kube::ReflectorHooks hooks;
  const auto index = loops_.size();
  hooks.changed = [this, index](const kube::ObjectKey& key) {
    const auto* value = static_cast<const Cache<T>&>(*loops_[index]).Find(key);
    if (value == nullptr) {
      touched_.TouchOthers();
    } else {
      Note(*value, key);
    }
    if (kIsBento<T>) ++bento_version_;
    changed_();
  };
  hooks.look_at_all = [this] {
    touched_.TouchOthers();
    if (kIsBento<T>) ++bento_version_;
    changed_();
  };
  auto reflector =
      std::make_unique<kube::Reflector<T>>(parts_.api, parts_.clock, std::move(request),
                                           std::move(parse), std::move(hooks), parts_.seed + index);
  auto& cache = *reflector;
  loops_.push_back(std::move(reflector));
  return cache;
}

template <class T>
void ClusterView::Note(const T& value, const kube::ObjectKey& key) {
  if constexpr (kIsBento<T>) {
    touched_.TouchBento(key);
  } else if constexpr (std::is_same_v<T, DeploymentRecord>) {
    touched_.Touch(value.deployment);
  } else if constexpr (requires { touched_.Touch(value); }) {
    touched_.Touch(value);
  } else {
    touched_.TouchOthers();
  }
}

TouchedWorkloads::Changes ClusterView::TakeChanges() {
  return touched_.Take({Deployments(), AllOf(replica_sets_), Workloads()});
}

ClusterView::ClusterView(Parts parts, std::vector<bento::WorkloadMapping> mappings,
                         std::function<void()> changed)
    : parts_(std::move(parts)),
      changed_(std::move(changed)),
      running_(parts_.executor),
      bentos_(Watch<bento::Bento>({"resources.yatai.ai", "v1alpha1", "bentoes"}, bento::ReadBento)),
      requests_(Watch<bento::BentoRequest>({"resources.yatai.ai", "v1alpha1", "bentorequests"},
                                           bento::ReadBentoRequest)),
      claims_(Watch<bento::PersistentVolumeClaim>({"", "v1", "persistentvolumeclaims"},
                                                  bento::ReadPersistentVolumeClaim)),
      volumes_(Watch<bento::PersistentVolume>({"", "v1", "persistentvolumes"},
                                              bento::ReadPersistentVolume)),
      storage_classes_(Watch<bento::StorageClass>({"storage.k8s.io", "v1", "storageclasses"},
                                                  bento::ReadStorageClass)),
      deployments_(Watch<DeploymentRecord>({"apps", "v1", "deployments"}, ReadDeployment)),
      replica_sets_(
          Watch<demand::ReplicaSet>({"apps", "v1", "replicasets"}, demand::ReplicaSetFromJson)),
      hpas_(Watch<demand::Hpa>({"autoscaling", "v2", "horizontalpodautoscalers"},
                               demand::HpaFromJson)),
      pods_(Watch<demand::Pod>({"", "v1", "pods"}, demand::PodFromJson)),
      nodes_(Watch<demand::Node>({"", "v1", "nodes"}, demand::NodeFromJson)),
      node_claims_(Watch<demand::NodeClaim>({"karpenter.sh", "v1", "nodeclaims"},
                                            demand::NodeClaimFromJson)),
      scale_ups_(Watch<demand::ScaleUp>({"", "v1", "events"}, demand::ScaleUpFromJson,
                                        "reason=TriggeredScaleUp")),
      policies_(Watch<PolicyObject>({"prewarm.dev", "v1alpha1", "prewarmpolicies"}, ReadPolicy)) {
  for (auto& mapping : mappings) {
    const kube::Resource resource{mapping.group, mapping.version, mapping.resource};
    workloads_.push_back(&Watch<bento::Workload>(
        resource, [mapping = std::move(mapping)](const json::object& object) {
          return bento::ReadWorkload(mapping, object);
        }));
  }
}

ClusterView::~ClusterView() = default;

Task<void> ClusterView::Run() {
  for (auto& loop : loops_) running_.Spawn("watch " + ToString(loop->resource()), loop->Run());
  while (co_await SleepFor(std::chrono::hours(1))) {
  }
  running_.Stop();
  co_await running_.Join();
}

bool ClusterView::synced() const {
  return std::ranges::all_of(loops_, [](const auto& loop) { return loop->synced(); });
}

std::vector<std::string> ClusterView::Troubles() const {
  std::vector<std::string> troubles;
  for (const auto& loop : loops_) {
    const bool bad = loop->state() == kube::ReflectorState::kForbidden ||
                     loop->state() == kube::ReflectorState::kFailing;
    if (bad) troubles.push_back(ToString(loop->resource()) + ": " + loop->trouble());
  }
  return troubles;
}

std::vector<const kube::ReflectorLoop*> ClusterView::Caches() const {
  std::vector<const kube::ReflectorLoop*> all;
  all.reserve(loops_.size());
  for (const auto& loop : loops_) all.push_back(loop.get());
  return all;
}

demand::World ClusterView::World() const {
  demand::World world;
  world.nodes = AllOf(nodes_);
  world.claims = AllOf(node_claims_);
  world.pods = AllOf(pods_);
  world.replica_sets = AllOf(replica_sets_);
  world.hpas = AllOf(hpas_);
  world.scale_ups = AllOf(scale_ups_);
  world.deployments = Deployments();
  world.now = parts_.clock.WallNow();
  return world;
}

std::vector<const demand::Deployment*> ClusterView::Deployments() const {
  std::vector<const demand::Deployment*> all;
  all.reserve(deployments_.objects().size());
  for (const auto& [key, record] : deployments_.objects()) all.push_back(&record.deployment);
  return all;
}

std::vector<const bento::Workload*> ClusterView::Workloads() const {
  std::vector<const bento::Workload*> all;
  for (const auto* cache : workloads_) {
    for (const auto& [key, workload] : cache->objects()) all.push_back(&workload);
  }
  for (const auto& [key, record] : deployments_.objects()) {
    if (record.workload) all.push_back(&*record.workload);
  }
  return all;
}

std::vector<demand::Policy> ClusterView::Policies() const {
  std::vector<demand::Policy> all;
  for (const auto& [key, object] : policies_.objects()) {
    if (object.problem.empty()) all.push_back(object.policy);
  }
  return all;
}

std::vector<const PolicyObject*> ClusterView::PolicyObjects() const { return AllOf(policies_); }

std::vector<BentoName> ClusterView::BentosOf(std::string_view name_space) const {
  std::set<BentoName> names;
  const auto add = [&](const auto& cache) {
    const auto& all = cache.objects();
    for (auto at = all.lower_bound({std::string(name_space), ""});
         at != all.end() && at->first.ns == name_space; ++at) {
      names.insert({at->first.name, at->second.tag});
    }
  };
  add(bentos_);
  add(requests_);
  return {names.begin(), names.end()};
}

const demand::Node* ClusterView::FindNode(std::string_view name) const {
  return FindIn(nodes_, "", name);
}

const DeploymentRecord* ClusterView::DeploymentOf(const bento::ObjectRef& workload,
                                                  const bento::TextMap& labels) const {
  if (workload.kind == "Deployment") {
    return FindIn(deployments_, workload.name_space, workload.name);
  }
  if (labels.empty()) return nullptr;
  const auto& all = deployments_.objects();
  for (auto at = all.lower_bound({workload.name_space, ""});
       at != all.end() && at->first.ns == workload.name_space; ++at) {
    const auto& own = at->second.deployment.labels;
    const bool carries = std::ranges::all_of(
        labels, [&](const auto& label) { return own.Has(label.first, label.second); });
    if (carries) return &at->second;
  }
  return nullptr;
}

const bento::Bento* ClusterView::FindBento(std::string_view name_space,
                                           std::string_view name) const {
  return FindIn(bentos_, name_space, name);
}
const bento::BentoRequest* ClusterView::FindRequest(std::string_view name_space,
                                                    std::string_view name) const {
  return FindIn(requests_, name_space, name);
}
const bento::PersistentVolumeClaim* ClusterView::FindClaim(std::string_view name_space,
                                                           std::string_view name) const {
  return FindIn(claims_, name_space, name);
}
const bento::PersistentVolume* ClusterView::FindVolume(std::string_view name) const {
  return FindIn(volumes_, "", name);
}
const bento::StorageClass* ClusterView::FindStorageClass(std::string_view name) const {
  return FindIn(storage_classes_, "", name);
}

}  // namespace prewarm::controller
