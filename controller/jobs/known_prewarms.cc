#include "controller/jobs/known_prewarms.h"

namespace prewarm::controller {

void KnownPrewarms::Take(const PrewarmObject& object) {
  const auto& prewarm = object.prewarm;
  const auto [at, fresh] = entries_.try_emplace(prewarm.id);
  auto& entry = at->second;
  entry.resource_version = object.resource_version;
  entry.state = prewarm.state;
  entry.age = prewarm.age;
  entry.generation = object.generation;
  entry.spec = prewarm.spec;
  entry.conditions = object.conditions;
  if (fresh) entry.held = prewarm.spec;
  if (entry.held == entry.spec) entry.observed_generation = entry.generation;
}

void KnownPrewarms::Hold(const Prewarm& prewarm) {
  const auto at = entries_.find(prewarm.id);
  if (at == entries_.end()) return;
  auto& entry = at->second;
  entry.held = prewarm.spec;
  if (entry.held == entry.spec) entry.observed_generation = entry.generation;
}

const KnownPrewarms::Entry* KnownPrewarms::Find(const std::string& id) const {
  const auto at = entries_.find(id);
  return at == entries_.end() ? nullptr : &at->second;
}

bool KnownPrewarms::IsSpecToWrite(const Prewarm& prewarm) const {
  const auto* entry = Find(prewarm.id);
  return entry != nullptr && prewarm.spec.workload && prewarm.spec != entry->held &&
         prewarm.spec != entry->spec;
}

bool KnownPrewarms::IsEdited(const Prewarm& prewarm) const {
  const auto* entry = Find(prewarm.id);
  return entry != nullptr && !prewarm.spec.workload && prewarm.spec != entry->held &&
         prewarm.spec != entry->spec;
}

StatusContext KnownPrewarms::ContextOf(const std::string& id, std::uint64_t epoch,
                                       WallTime now) const {
  const auto* entry = Find(id);
  if (entry == nullptr) return {epoch, 0, {}, now};
  return {epoch, entry->observed_generation, entry->conditions, now};
}

}  // namespace prewarm::controller
