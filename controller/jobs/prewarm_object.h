// A prewarm as a custom resource, prewarms.prewarm.dev/v1alpha1, and back. The fields are those of
// deploy/kubernetes/crds.py. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "controller/kube/conditions.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

inline constexpr const char* kPrewarmGroup = "prewarm.dev";
inline constexpr const char* kPrewarmVersion = "v1alpha1";
// A hash of the idempotency key, because a label cannot hold every key.
inline constexpr const char* kKeyLabel = "prewarm.dev/idempotency-key-hash";
// Marks what the leader made by itself, for a workload.
inline constexpr const char* kMadeByLabel = "app.kubernetes.io/managed-by";
inline constexpr const char* kMadeByUs = "prewarm-controller";

// The id of the prewarm that an object is: "<namespace>.<name>". A namespace has no dots.
std::string PrewarmId(std::string_view name_space, std::string_view name);
// And back, for a prewarm of that namespace. kInvalidArgument: not such an id.
Result<std::string> ObjectNameOf(std::string_view id, std::string_view name_space);

std::string KeyHash(std::string_view idempotency_key);

struct PrewarmObject {
  Prewarm prewarm;               // state kPending and age 0 if no leader has accepted it yet
  bool accepted = false;         // a leader wrote its status
  std::uint64_t epoch = 0;       // of that leader
  std::string resource_version;  // of the object as it was read
  std::string uid;
  std::uint64_t generation = 0;  // of the spec
  kube::Conditions conditions;
  bool made_by_us = false;  // so its label says
};

// kCorrupt names the object and the field. Whoever may write a Prewarm may have written anything.
Result<PrewarmObject> ReadPrewarmObject(const boost::json::object& object);

// To create it. kInvalidArgument: it holds bytes that JSON cannot (a path that is not UTF-8).
Result<boost::json::object> NewPrewarmObject(const Prewarm& prewarm);
// The whole of `spec`.
boost::json::object PrewarmSpecObject(const Prewarm& prewarm);
struct StatusContext {
  std::uint64_t epoch = 0;                // of the leader that writes
  std::uint64_t observed_generation = 0;  // of the spec that this is about
  kube::Conditions before;                // what it said until now
  WallTime now;
};
// The whole of `status`; empty texts are null, so that a merge patch takes away what an older one
// said.
boost::json::object PrewarmStatusObject(const Prewarm& prewarm, const StatusContext& context);

}  // namespace prewarm::controller
