// One place where a model may be, looked at. For a cache of the hub: first the marker and the
// folder of the repository, in whatever case of letters, then its snapshots, then their files.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "controller/bento/model_tree.h"
#include "controller/bento/source_resolver.h"

namespace prewarm::controller::bento {

class CandidateWalk {
 public:
  // Both outlive this.
  CandidateWalk(const Candidate& candidate, const FileRules& rules);

  [[nodiscard]] std::optional<std::string> Next() const;
  void Answer(const Listing& listing);
  // Only once Next() names nothing.
  [[nodiscard]] SourceAnswer Outcome() const;

 private:
  void AnswerCache(const Listing& listing);
  void AnswerSnapshots(const Listing& listing);
  void BeginTree();
  void Stop();
  [[nodiscard]] bool WantsSnapshot(const std::string& commit) const;
  [[nodiscard]] bool IsMarked() const;
  [[nodiscard]] std::string MarkerName() const;
  [[nodiscard]] std::string WhyAbsent() const;
  [[nodiscard]] std::string WhyPartial() const;  // "": it is whole
  [[nodiscard]] std::vector<std::string> Paths() const;
  [[nodiscard]] std::optional<std::uint64_t> Bytes() const;

  const Candidate& candidate_;
  const FileRules& rules_;
  std::size_t asked_ = 0;
  // kHub:
  bool cache_asked_ = false;
  bool cache_exists_ = false;
  bool marked_ = false;
  std::vector<std::string> folders_;  // whose snapshots are to be asked for, the next one last
  struct Root {
    std::string path;
    std::string boundary;
  };
  std::vector<Root> roots_;  // to be looked through, the next one last
  std::string found_folder_;
  std::deque<ModelTree> trees_;  // the last one is being looked through
  std::vector<std::string> faults_;
};

}  // namespace prewarm::controller::bento
