// A PrewarmPolicy with what its status says: whether it was understood, for how many workloads it
// holds, and what is to be said of them. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controller/bento/workload.h"
#include "controller/demand/policy.h"
#include "controller/kube/conditions.h"
#include "controller/kube/resource.h"

namespace prewarm::controller {

// What is to be said of a workload that has no object of ours to say it: why there is nothing to
// warm for it, or which of its models cannot be found.
struct WorkloadNote {
  std::string workload;  // "BentoDeployment chat"
  std::string reason;    // as in its Event
  std::string message;
  bool unresolved = false;  // somebody has to act
  bool operator==(const WorkloadNote&) const = default;
};

inline constexpr std::size_t kMostNotes = 64;

struct PolicyStatus {
  std::uint64_t observed_generation = 0;
  std::uint64_t workloads = 0;      // that it holds for
  std::vector<WorkloadNote> notes;  // of these, at most kMostNotes, the unresolved first
  kube::Conditions conditions;      // Accepted, InForce, ModelsResolved
  // But for the moments of the conditions.
  [[nodiscard]] bool Says(const PolicyStatus& other) const;
};

struct PolicyObject {
  kube::ObjectKey key;
  std::string resource_version;
  std::uint64_t generation = 0;
  std::string problem;  // it cannot be understood, and counts for nothing; empty: it can
  demand::Policy policy;
  PolicyStatus status;
};
// Takes any object whatever.
PolicyObject ReadPolicyObject(const boost::json::object& object);

// How the policies of the cluster share its workloads out.
struct PolicyUse {
  std::uint64_t holds_for = 0;
  bool unlooked = false;               // at one of them nobody has looked yet
  std::vector<WorkloadNote> notes;     // of these
  std::uint64_t overruled = 0;         // workloads that it matches and another one holds for
  std::set<std::string> overruled_by;  // in its namespace
};
using PolicyUses = std::map<kube::ObjectKey, PolicyUse>;
// Nothing: the workload with this uid was not looked at yet.
using NotesOf = std::function<std::optional<std::vector<WorkloadNote>>(const std::string& uid)>;
PolicyUses UsesOf(std::span<const demand::Policy> policies,
                  std::span<const bento::Workload* const> workloads, const NotesOf& notes_of);

// As demand:: reads labels.
demand::Labels ToLabels(const bento::TextMap& map);

// What is to be said of it now, without moments.
PolicyStatus PolicyStatusOf(const PolicyObject& object, const PolicyUse& use);
boost::json::object PolicyStatusObject(const PolicyStatus& status);

}  // namespace prewarm::controller
