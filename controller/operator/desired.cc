#include "controller/operator/desired.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <utility>

namespace prewarm::controller {
namespace {

constexpr std::size_t kLongestWorkloadPart = 48;
constexpr std::size_t kLongestKey = 253;  // of spec.model, as its definition bounds it

void PutSpec(const DesiredPrewarm& desired, PrewarmSpec& spec) {
  spec.volume = desired.volume;
  spec.paths = desired.paths;
  spec.priority = desired.priority;
  spec.keep = true;
  spec.model = desired.Key();
  spec.workload = desired.workload;
  spec.targets = desired.targets;
}

std::uint64_t Fingerprint(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::string DesiredPrewarm::Key() const {
  auto key =
      workload.kind + "/" + workload.name + "/" + workload.uid + "/" + volume + "/" + version;
  if (key.size() <= kLongestKey) return key;
  return workload.kind + "/" + workload.uid + "/" + std::to_string(Fingerprint(key));
}

void AddTarget(std::vector<NodeTarget>& targets, NodeTarget target) {
  const auto at = std::ranges::lower_bound(targets, target.node, {}, &NodeTarget::node);
  if (at == targets.end() || at->node != target.node) {
    targets.insert(at, std::move(target));
  } else if (at->priority < target.priority) {
    *at = std::move(target);
  }
}

PrewarmChanges Compare(std::span<const DesiredPrewarm> desired, std::span<const Prewarm> existing) {
  std::map<std::pair<std::string, std::string>, const Prewarm*> by_key;
  PrewarmChanges changes;
  for (const auto& prewarm : existing) {
    const auto [at, first] = by_key.try_emplace({prewarm.name_space, prewarm.spec.model}, &prewarm);
    if (first) continue;
    const bool older = prewarm.age < at->second->age;
    changes.dropped.push_back(older ? *at->second : prewarm);
    if (older) at->second = &prewarm;
  }
  for (const auto& want : desired) {
    const auto at = by_key.find({want.name_space, want.Key()});
    if (at == by_key.end()) {
      changes.created.push_back(want);
      continue;
    }
    Prewarm next = *at->second;
    PutSpec(want, next.spec);
    if (next.spec != at->second->spec) changes.changed.push_back(std::move(next));
    by_key.erase(at);
  }
  for (const auto& [key, prewarm] : by_key) changes.dropped.push_back(*prewarm);
  return changes;
}

Prewarm NewPrewarmFor(const DesiredPrewarm& desired, WallTime now) {
  Prewarm prewarm;
  prewarm.name_space = desired.name_space;
  PutSpec(desired, prewarm.spec);
  prewarm.created_at = now;
  return prewarm;
}

std::string NameFor(const DesiredPrewarm& desired, WallTime now) {
  auto name = desired.workload.name.substr(0, kLongestWorkloadPart);
  while (!name.empty() && (name.back() == '.' || name.back() == '-')) name.pop_back();
  std::array<char, 16> suffix{};
  const auto moment = std::to_string(now.time_since_epoch().count());
  std::snprintf(suffix.data(), suffix.size(), "-%08x",
                static_cast<unsigned>(Fingerprint(desired.Key() + moment) & 0xffffffff));
  return name + suffix.data();
}

}  // namespace prewarm::controller
