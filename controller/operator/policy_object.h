// A PrewarmPolicy with what its status says: whether it was understood, and for how many workloads
// it holds. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
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

struct PolicyStatus {
  std::uint64_t observed_generation = 0;
  std::uint64_t workloads = 0;  // that it holds for
  kube::Conditions conditions;  // Accepted, InForce
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
  std::uint64_t overruled = 0;         // workloads that it matches and another one holds for
  std::set<std::string> overruled_by;  // in its namespace
};
using PolicyUses = std::map<kube::ObjectKey, PolicyUse>;
PolicyUses UsesOf(std::span<const demand::Policy> policies,
                  std::span<const bento::Workload* const> workloads);

// As demand:: reads labels.
demand::Labels ToLabels(const bento::TextMap& map);

// What is to be said of it now, without moments.
PolicyStatus PolicyStatusOf(const PolicyObject& object, const PolicyUse& use);
boost::json::object PolicyStatusObject(const PolicyStatus& status);

}  // namespace prewarm::controller
