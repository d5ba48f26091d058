// The words of a *check*, in which a client says how much of some files its cache holds, as the
// control file of a mount takes and gives them: the request as bytes, and a reader of the answer.
// All numbers are big-endian. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::agent {

// What a client counted. It counts whole slices, and a slice once for each file (and each piece of
// a file) that shows it: more than the files' own bytes where data was overwritten or is shared.
struct CacheCount {
  std::uint64_t files = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t missing_bytes = 0;  // at most total_bytes

  bool operator==(const CacheCount&) const = default;
};

// Whether a client of this version (as .config tells it) can be asked. One that does not know
// checks does not look at the byte that asks for one: it would download instead. So nothing older
// than the release 1.2.0, and nothing with a major version of which nothing is known.
bool AnswersChecks(std::string_view version);

// One message, for one descriptor. Paths are those of the mount, each with its leading "/".
std::string CheckRequest(std::span<const std::string> paths);

// Takes the answer in pieces as they come: any number of progress frames and then the result.
class CheckReply {
 public:
  // kCorrupt: no client says this. Else the error that the client tells; it says nothing more.
  Status Feed(std::string_view bytes);

  // The result, once it is there; what comes after it is ignored.
  [[nodiscard]] const std::optional<CacheCount>& count() const { return count_; }

 private:
  // The length of the frame at the front; nothing while not even that has come.
  [[nodiscard]] Result<std::optional<std::size_t>> FrameLength() const;

  std::string bytes_;  // of a frame that is not whole yet
  std::optional<CacheCount> count_;
};

}  // namespace prewarm::agent
