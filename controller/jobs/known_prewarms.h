// What the leader knows of the objects that it writes: their versions, what they say, and which of
// it is ours. Pure.
//
// A spec belongs to whoever made the object. The leader writes it only where it decided on another
// one itself (the targets of a workload), and never writes back what a user has changed: that is
// taken in, or told of, by whoever watches the objects.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "controller/jobs/prewarm_object.h"

namespace prewarm::controller {

class KnownPrewarms {
 public:
  struct Entry {
    std::string resource_version;
    PrewarmState state = PrewarmState::kPending;
    std::uint64_t age = 0;
    std::uint64_t generation = 0;  // of the spec
    PrewarmSpec spec;              // as the object says
    PrewarmSpec held;              // as the leader has it
    std::uint64_t observed_generation = 0;
    kube::Conditions conditions;
  };

  // As it was read or answered just now.
  void Take(const PrewarmObject& object);
  // From now on this is the leader's.
  void Hold(const Prewarm& prewarm);
  void Forget(const std::string& id) { entries_.erase(id); }
  void Clear() { entries_.clear(); }

  // nullptr: nothing is known.
  [[nodiscard]] const Entry* Find(const std::string& id) const;
  // The leader decided on another spec than the one it had, for a workload.
  [[nodiscard]] bool IsSpecToWrite(const Prewarm& prewarm) const;
  // The leader took in an edit of its user that was not read here yet.
  [[nodiscard]] bool IsEdited(const Prewarm& prewarm) const;
  // What the status of this prewarm is to be told with.
  [[nodiscard]] StatusContext ContextOf(const std::string& id, std::uint64_t epoch,
                                        WallTime now) const;

 private:
  std::map<std::string, Entry> entries_;  // by id
};

}  // namespace prewarm::controller
