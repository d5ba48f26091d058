// From where a model may lie to the paths that have to be warmed: asks for directories of the
// volume, one after another, until it knows. No I/O; whoever drives it lists directories. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/bento/file_rules.h"
#include "controller/bento/model_source.h"

namespace prewarm::controller::bento {

struct DirectoryEntry {
  enum class Type : std::uint8_t { kFile, kDirectory, kSymlink, kOther };
  std::string name;
  Type type = Type::kFile;
  std::optional<std::uint64_t> bytes;  // of a file, where it came with the listing
  std::string target;                  // of a symlink
  bool operator==(const DirectoryEntry&) const = default;
};

// What lies at a path that was asked for.
struct Listing {
  enum class Kind : std::uint8_t { kAbsent, kFile, kDirectory };
  Kind kind = Kind::kAbsent;
  // Of the same thing, free of symlinks, relative to what the question is relative to. A path that
  // leads elsewhere is not followed: whoever can write to the volume could point at a neighbour.
  std::string real_path;
  std::vector<DirectoryEntry> entries;  // in any order
  std::optional<std::uint64_t> bytes;   // of a file
  bool truncated = false;               // there are more entries than whoever listed them gives
  bool operator==(const Listing&) const = default;
};

enum class Completeness : std::uint8_t {
  kAbsent,    // nothing there that could be warmed
  kPartial,   // something is there, but nothing says that it is whole
  kComplete,  // marked as whole, or named by hand
};
std::string_view CompletenessName(Completeness completeness);

struct SourceAnswer {
  Completeness completeness = Completeness::kAbsent;
  std::string directory;               // of the candidate that counts
  std::vector<std::string> paths;      // files and directories, sorted, without duplicates
  std::optional<std::uint64_t> bytes;  // of the files that were named, where all are known
  std::string reason;                  // in words; empty where there is nothing to say
  bool operator==(const SourceAnswer&) const = default;
};

// Most paths of one answer, as many as a prewarm takes, and most directories looked into for one
// candidate.
inline constexpr std::size_t kMaxAnswerPaths = 1000;
inline constexpr std::size_t kMaxDirectories = 256;

class CandidateWalk;

class SourceResolver {
 public:
  SourceResolver(std::vector<Candidate> candidates, FileRules rules);
  ~SourceResolver();
  SourceResolver(const SourceResolver&) = delete;
  SourceResolver& operator=(const SourceResolver&) = delete;

  // The path to list next; nothing once the answer is there. At most kMaxDirectories per candidate.
  [[nodiscard]] std::optional<std::string> Next() const;
  // What lies at the path that Next() named.
  void Answer(const Listing& listing);
  // Only once Next() names nothing.
  [[nodiscard]] const SourceAnswer& Outcome() const { return best_; }

 private:
  void Settle();

  std::vector<Candidate> candidates_;
  FileRules rules_;
  std::size_t at_ = 0;
  std::unique_ptr<CandidateWalk> walk_;
  SourceAnswer best_;
};

}  // namespace prewarm::controller::bento
