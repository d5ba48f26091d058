// What to ask a client about a task's blocks, and what follows from its count. A count is about
// paths as they are now and in whole slices, a plan about blocks as they were when it was made; so
// an answer proves that all is found, or that something is missing, or neither. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "agent/mount/check_reply.h"
#include "agent/mount/mounts.h"
#include "agent/mount/visibility.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace prewarm::agent {

// What a task is about, as the client can be told.
struct PlannedData {
  std::vector<std::string> paths{};  // from the volume's root; empty: not known
  std::uint64_t bytes = 0;           // of all blocks, each once
};

struct CheckQuestion {
  std::vector<std::string> paths;  // of the mount, each with its leading "/"
  bool part = false;               // the mount shows only a part of what was planned

  bool operator==(const CheckQuestion&) const = default;
};
// An error says in a clause why this client cannot be asked.
Result<CheckQuestion> QuestionFor(const MountSettings& mount, const PlannedData& planned);

// Sorted, without those that lie in another one: what a client would count twice.
std::vector<std::string> OutermostPaths(std::vector<std::string> paths);

enum class CacheVerdict : std::uint8_t {
  kFindsAll,   // every planned block
  kMisses,     // at least one planned block
  kUnsettled,  // the count does not tell
  kNotAsked,   // it could not be asked, or did not answer
};

struct ClientAnswer {
  CacheVerdict verdict = CacheVerdict::kNotAsked;
  WallTime at;
  std::string words{};  // a clause: "asked at 14:32:05, the client finds all 8.00 GiB"

  bool operator==(const ClientAnswer&) const = default;
};
using ClientAnswers = std::map<std::string, ClientAnswer>;  // by mount point

// All planned blocks are among what was counted if the total is at least theirs; then they are all
// found if nothing is missing, and some is missing if more is than the rest of the total.
ClientAnswer AnswerOf(const CacheCount& count, bool part, const PlannedData& planned, WallTime at);
ClientAnswer AnswerOf(const Error& why, WallTime at);

// What may be said of a mount that should see the blocks now, once its client has answered.
MountVisibility Settle(MountVisibility mount, const ClientAnswer& answer);

}  // namespace prewarm::agent
