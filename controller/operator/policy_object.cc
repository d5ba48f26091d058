#include "controller/operator/policy_object.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <tuple>

#include "common/base/utf8.h"
#include "controller/demand/policy_json.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

std::uint64_t Count(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return 0;
  json::error_code error;
  const auto count = value->to_number<std::uint64_t>(error);
  return error ? 0 : count;
}

std::string Joined(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string Workloads(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " workload" : " workloads");
}

constexpr std::size_t kLongestNote = 512;
constexpr std::size_t kNamedInCondition = 8;

// What is shown of them: of thousands of workloads a status has no room for each.
std::vector<WorkloadNote> Shown(std::vector<WorkloadNote> notes) {
  std::ranges::sort(notes, [](const auto& a, const auto& b) {
    return std::tie(b.unresolved, a.workload, a.reason) <
           std::tie(a.unresolved, b.workload, b.reason);
  });
  if (notes.size() > kMostNotes) notes.resize(kMostNotes);
  for (auto& note : notes) note.message = ToUtf8(note.message, kLongestNote);
  return notes;
}

kube::Condition ModelsResolved(const PolicyUse& use) {
  std::set<std::string> named;
  std::set<std::string> all;
  for (const auto& note : use.notes) {
    if (!note.unresolved) continue;
    all.insert(note.workload);
    if (named.size() < kNamedInCondition) named.insert(note.workload + " (" + note.reason + ")");
  }
  if (all.empty()) return kube::MakeCondition("ModelsResolved", true, "AllResolved", "");
  return kube::MakeCondition(
      "ModelsResolved", false, "Unresolved",
      "of " + Workloads(all.size()) + " not all models can be found: " + Joined(named));
}

std::vector<WorkloadNote> ReadNotes(const json::object& status) {
  std::vector<WorkloadNote> notes;
  const auto* list = kube::ArrayIn(status, "notes");
  if (list == nullptr) return notes;
  for (const auto& item : *list) {
    const auto* note = item.if_object();
    if (note == nullptr) continue;
    const auto* unresolved = note->if_contains("unresolved");
    notes.push_back({std::string(kube::TextIn(*note, "workload")),
                     std::string(kube::TextIn(*note, "reason")),
                     std::string(kube::TextIn(*note, "message")),
                     unresolved != nullptr && unresolved->is_bool() && unresolved->get_bool()});
  }
  return notes;
}

json::array ToJson(const std::vector<WorkloadNote>& notes) {
  json::array list;
  for (const auto& note : notes) {
    list.push_back(json::object{{"workload", note.workload},
                                {"reason", note.reason},
                                {"message", note.message},
                                {"unresolved", note.unresolved}});
  }
  return list;
}

kube::Condition InForce(const PolicyObject& object, const PolicyUse& use) {
  if (!object.problem.empty()) {
    return kube::MakeCondition("InForce", false, "Invalid", "it counts for nothing as it is");
  }
  if (use.holds_for > 0) {
    auto words = "holds for " + Workloads(use.holds_for);
    if (use.overruled > 0) {
      words += "; " + Workloads(use.overruled) +
               " that it matches too are left to a more specific one: " + Joined(use.overruled_by);
    }
    return kube::MakeCondition("InForce", true, "Holds", words);
  }
  if (use.overruled > 0) {
    return kube::MakeCondition("InForce", false, "Overruled",
                               "of every workload that it matches a more specific policy holds: " +
                                   Joined(use.overruled_by));
  }
  return kube::MakeCondition("InForce", false, "NoWorkload",
                             "its selector matches no workload of its namespace");
}

}  // namespace

bool PolicyStatus::Says(const PolicyStatus& other) const {
  return observed_generation == other.observed_generation && workloads == other.workloads &&
         notes == other.notes && kube::SaySame(conditions, other.conditions);
}

PolicyObject ReadPolicyObject(const json::object& object) {
  PolicyObject read;
  if (const auto* metadata = kube::ObjectIn(object, "metadata")) {
    read.key = {std::string(kube::TextIn(*metadata, "namespace")),
                std::string(kube::TextIn(*metadata, "name"))};
    read.resource_version = kube::TextIn(*metadata, "resourceVersion");
    read.generation = Count(*metadata, "generation");
  }
  auto policy = demand::PolicyFromJson(object);
  if (policy) {
    read.policy = *std::move(policy);
  } else {
    read.problem = policy.error().message;
  }
  if (const auto* status = kube::ObjectIn(object, "status")) {
    read.status.observed_generation = Count(*status, "observedGeneration");
    read.status.workloads = Count(*status, "workloads");
    read.status.notes = ReadNotes(*status);
    read.status.conditions = kube::ReadConditions(*status);
  }
  return read;
}

demand::Labels ToLabels(const bento::TextMap& map) {
  std::vector<std::pair<std::string_view, std::string_view>> entries;
  entries.reserve(map.size());
  for (const auto& [key, value] : map) entries.emplace_back(key, value);
  return demand::Labels(std::move(entries));
}

PolicyUses UsesOf(std::span<const demand::Policy> policies,
                  std::span<const bento::Workload* const> workloads, const NotesOf& notes_of) {
  PolicyUses uses;
  for (const auto* workload : workloads) {
    const auto& name_space = workload->ref.name_space;
    const auto labels = ToLabels(workload->labels);
    const auto& chosen = demand::PolicyFor(name_space, labels, policies);
    if (chosen.name.empty()) continue;
    auto& holder = uses[{name_space, chosen.name}];
    ++holder.holds_for;
    auto notes = notes_of(workload->ref.uid);
    holder.unlooked |= !notes;
    if (notes) std::ranges::move(*notes, std::back_inserter(holder.notes));
    for (const auto& policy : policies) {
      const bool other = policy.name_space == name_space && policy.name != chosen.name;
      if (!other || !policy.selector.Matches(labels)) continue;
      auto& use = uses[{name_space, policy.name}];
      ++use.overruled;
      if (use.overruled_by.size() < 8) use.overruled_by.insert(chosen.name);
    }
  }
  return uses;
}

PolicyStatus PolicyStatusOf(const PolicyObject& object, const PolicyUse& use) {
  PolicyStatus status;
  status.observed_generation = object.generation;
  const bool valid = object.problem.empty();
  status.workloads = valid ? use.holds_for : 0;
  status.conditions = {valid ? kube::MakeCondition("Accepted", true, "Valid", "")
                             : kube::MakeCondition("Accepted", false, "Invalid", object.problem),
                       InForce(object, use), ModelsResolved(use)};
  status.notes = Shown(use.notes);
  for (auto& condition : status.conditions) condition.observed_generation = object.generation;
  return status;
}

json::object PolicyStatusObject(const PolicyStatus& status) {
  return {{"observedGeneration", static_cast<std::int64_t>(status.observed_generation)},
          {"workloads", static_cast<std::int64_t>(status.workloads)},
          {"notes", ToJson(status.notes)},
          {"conditions", kube::ToJson(status.conditions)}};
}

}  // namespace prewarm::controller
