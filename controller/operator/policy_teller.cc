#include "controller/operator/policy_teller.h"

#include <map>
#include <utility>

#include "common/async/deadline.h"
#include "controller/jobs/prewarm_object.h"
#include "controller/kube/objects.h"

namespace prewarm::controller {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr StatusPacer::Limits kPace{std::chrono::seconds(10), 10};

kube::Resource Policies() { return {kPrewarmGroup, kPrewarmVersion, "prewarmpolicies"}; }

}  // namespace

PolicyTeller::PolicyTeller(Parts parts)
    : parts_(std::move(parts)), running_(parts_.executor), pacer_(kPace, parts_.clock.Now()) {}

Task<void> PolicyTeller::Run() {
  while (co_await SleepFor(kTick)) {
    if (parts_.view.synced()) Look();
  }
  running_.Stop();
  co_await running_.Join();
}

void PolicyTeller::Look() {
  const auto policies = parts_.view.Policies();
  const auto uses = UsesOf(policies, parts_.view.Workloads(), parts_.notes_of);
  std::map<std::string, std::pair<const PolicyObject*, PolicyStatus>> news;
  std::vector<std::string> wanting;
  for (const auto* object : parts_.view.PolicyObjects()) {
    if (busy_.contains(object->key)) continue;
    const auto use = uses.find(object->key);
    if (use != uses.end() && use->second.unlooked) continue;
    auto status = PolicyStatusOf(*object, use == uses.end() ? PolicyUse() : use->second);
    if (status.Says(object->status)) continue;
    kube::Follow(object->status.conditions, status.conditions, object->generation,
                 parts_.clock.WallNow());
    const auto name = kube::ToString(object->key);
    wanting.push_back(name);
    news.emplace(name, std::pair(object, std::move(status)));
  }
  for (const auto& name : pacer_.Choose(wanting, parts_.clock.Now())) {
    auto& [object, status] = news.at(name);
    busy_.insert(object->key);
    running_.Spawn("tell of a policy",
                   Write(object->key, object->resource_version, std::move(status)));
  }
}

Task<void> PolicyTeller::Write(kube::ObjectKey key, std::string resource_version,
                               PolicyStatus status) {
  boost::json::object patch{
      {"metadata", boost::json::object{{"resourceVersion", std::move(resource_version)}}},
      {"status", PolicyStatusObject(status)}};
  const auto written =
      co_await kube::PatchObject(parts_.api, Policies(), key, std::move(patch), "status");
  const bool failed = !written && written.error().code != ErrorCode::kConflict &&
                      written.error().code != ErrorCode::kNotFound;
  if (failed) {
    parts_.log.Warn("policy_not_told", {{"policy", kube::ToString(key)}, {"why", written.error()}});
  }
  busy_.erase(key);
}

}  // namespace prewarm::controller
